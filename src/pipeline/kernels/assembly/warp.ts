/**
 * Draws a textured mesh, triangle by triangle: first the rows as spans, then the spans' pixels. As two loops each
 * keeps its values in registers; in one loop the start of a row took as long as four of its pixels.
 */

// @ts-nocheck AssemblyScript, not TypeScript

import { bilinear, bytesAt, clamped, hold, MAGIC, MAGIC_BITS, ONE } from './simd-lanes';
import {
  ACROSS, ALPHA, all0, all1, all2, all3, AT, COUNT, DOWN, GAIN, magic4, mix, OFFSET_U, OFFSET_V, ramp4, S, SPAN, SPANS, spansOf, steps4, VERTEX, within,
} from './spans';

/** A texture's plane as the loops take it: its address, its stride, and the last offset that may be read in it. */
// @ts-ignore
@inline
function baseOf(plane: usize): v128 { return i32x4.splat(<i32>plane - MAGIC_BITS); }
// @ts-ignore
@inline
function rowsOf(stride: i32): v128 { return f32x4.splat(<f32>stride); }
// @ts-ignore
@inline
function mostOf(last: i32): v128 { return f32x4.splat(MAGIC + <f32>last); }

/**
 * Draws luma along the spans up to `end`, at least one, bilinear. Texture coordinates are half a texel low, so that
 * rounding to the nearest is rounding down. Only pixels beside a span, which are not drawn, can lie beyond the
 * triangle's corners in the texture: they are clamped to its memory.
 */
function paintLuma(
  end: usize, gx: v128, g0: f32, gAcross: f32, gDown: f32, base: v128, rows: v128, most: v128, stride: usize,
): void {
  const ramp = ramp4(), four = steps4(), one = f32x4.splat(1), magic = magic4();
  const sx = all0(gx), tx = all1(gx), ax = all2(gx), ox = all3(gx);
  const sRamp = hold(f32x4.sub(f32x4.mul(sx, ramp), one)), tRamp = hold(f32x4.sub(f32x4.mul(tx, ramp), one));
  const aRamp = hold(f32x4.mul(ax, ramp)), oRamp = hold(f32x4.mul(ox, ramp));
  const sx4 = hold(f32x4.mul(sx, four)), tx4 = hold(f32x4.mul(tx, four)), ax4 = hold(f32x4.mul(ax, four)), ox4 = hold(f32x4.mul(ox, four));
  const gRamp = hold(f32x4.mul(f32x4.splat(gAcross), ramp)), g4 = hold(f32x4.mul(f32x4.splat(gAcross), four));
  let span = SPANS;
  do {
    let at = load<usize>(span, AT), left = load<i32>(span, COUNT);
    let s = f32x4.add(v128.load32_splat(span), sRamp), t = f32x4.add(v128.load32_splat(span, 4), tRamp);
    let alpha = f32x4.add(v128.load32_splat(span, 8), aRamp), offset = f32x4.add(v128.load32_splat(span, 12), oRamp);
    let gain = f32x4.add(f32x4.splat(g0 + gAcross * load<f32>(span, ACROSS) + gDown * load<f32>(span, DOWN)), gRamp);
    span += SPAN;
    do {
      const sBits = f32x4.add(s, magic), ti = f32x4.sub(f32x4.add(t, magic), magic);
      const place = i32x4.add(clamped(f32x4.add(f32x4.mul(ti, rows), sBits), magic, most), base);
      const texel = bilinear(place, stride, f32x4.sub(s, f32x4.sub(sBits, magic)), f32x4.sub(t, ti));
      mix(at, f32x4.add(f32x4.mul(texel, gain), offset), v128.and(alpha, within(left)), magic);
      s = f32x4.add(s, sx4);
      t = f32x4.add(t, tx4);
      alpha = f32x4.add(alpha, ax4);
      offset = f32x4.add(offset, ox4);
      gain = f32x4.add(gain, g4);
      at += 4;
      left -= 4;
    } while (left > 0);
  } while (span < end);
}

/**
 * Draws both planes of chroma along the spans up to `end`, from the nearest texel: the texture's chroma is finer
 * than the picture's.
 * @param apart bytes from U to V in the texture. @param v bytes from U to V in the picture.
 * @param v0, vx, vy as `at0`, `gx`, `gy`, of what is added to V. @param g0, gAcross, gDown the same of the gain.
 */
function paintChroma(
  end: usize, gx: v128, v0: f32, vx: f32, vy: f32, g0: f32, gAcross: f32, gDown: f32, base: v128, rows: v128, most: v128,
  apart: usize, v: usize,
): void {
  const ramp = ramp4(), four = steps4(), half = f32x4.splat(0.5), magic = magic4();
  const sx = all0(gx), tx = all1(gx), ax = all2(gx), ux = all3(gx), vx1 = f32x4.splat(vx);
  const sRamp = hold(f32x4.sub(f32x4.mul(sx, ramp), half)), tRamp = hold(f32x4.sub(f32x4.mul(tx, ramp), half));
  const aRamp = hold(f32x4.mul(ax, ramp)), uRamp = hold(f32x4.mul(ux, ramp)), vRamp = hold(f32x4.mul(vx1, ramp));
  const sx4 = hold(f32x4.mul(sx, four)), tx4 = hold(f32x4.mul(tx, four)), ax4 = hold(f32x4.mul(ax, four));
  const ux4 = hold(f32x4.mul(ux, four)), vx4 = hold(f32x4.mul(vx1, four));
  const gRamp = hold(f32x4.mul(f32x4.splat(gAcross), ramp)), g4 = hold(f32x4.mul(f32x4.splat(gAcross), four));
  let span = SPANS;
  do {
    let at = load<usize>(span, AT), left = load<i32>(span, COUNT);
    let s = f32x4.add(v128.load32_splat(span), sRamp), t = f32x4.add(v128.load32_splat(span, 4), tRamp);
    let alpha = f32x4.add(v128.load32_splat(span, 8), aRamp), ou = f32x4.add(v128.load32_splat(span, 12), uRamp);
    let ov = f32x4.add(f32x4.splat(v0 + vx * load<f32>(span, ACROSS) + vy * load<f32>(span, DOWN)), vRamp);
    let saturation = f32x4.add(f32x4.splat(g0 + gAcross * load<f32>(span, ACROSS) + gDown * load<f32>(span, DOWN)), gRamp);
    span += SPAN;
    do {
      const ti = f32x4.sub(f32x4.add(t, magic), magic);
      const place = i32x4.add(clamped(f32x4.add(f32x4.mul(ti, rows), f32x4.add(s, magic)), magic, most), base);
      const q0 = <usize>i32x4.extract_lane(place, 0), q1 = <usize>i32x4.extract_lane(place, 1);
      const q2 = <usize>i32x4.extract_lane(place, 2), q3 = <usize>i32x4.extract_lane(place, 3);
      const share = v128.and(alpha, within(left));
      mix(at, f32x4.add(f32x4.mul(bytesAt(q0, q1, q2, q3), saturation), ou), share, magic);
      mix(at + v, f32x4.add(f32x4.mul(bytesAt(q0 + apart, q1 + apart, q2 + apart, q3 + apart), saturation), ov), share, magic);
      s = f32x4.add(s, sx4);
      t = f32x4.add(t, tx4);
      alpha = f32x4.add(alpha, ax4);
      ou = f32x4.add(ou, ux4);
      ov = f32x4.add(ov, vx4);
      saturation = f32x4.add(saturation, g4);
      at += 4;
      left -= 4;
    } while (left > 0);
  } while (span < end);
}

/**
 * Draws a textured mesh into an I420 picture, in place: out = in + alpha * (texture * gain + offset - in), rounded; the
 * gain is the vertices', times `gain` for luma and `saturation` for chroma.
 * Vertices are in luma pixels of the region and of the texture, 0.51 of a texel or more away from the texture's
 * edges. Up to 3 bytes beside a span are written again unchanged, up to 7 are read.
 */
export function warp(
  vertices: usize, triangles: usize, count: i32, gain: f32, saturation: f32,
  textureY: usize, textureStride: i32, textureWidth: i32, textureHeight: i32,
  textureU: usize, textureV: usize, textureCStride: i32, textureCWidth: i32, textureCHeight: i32,
  y: usize, stride: i32, width: i32, height: i32,
  u: usize, v: usize, cStride: i32, cWidth: i32, cHeight: i32,
): void {
  const base = baseOf(textureY), rows = rowsOf(textureStride), most = mostOf(textureStride * (textureHeight - 1) - 2);
  const baseC = baseOf(textureU), rowsC = rowsOf(textureCStride), mostC = mostOf(textureCStride * textureCHeight - 1);
  for (let k = 0; k < count; k++, triangles += 6) {
    let a = vertices + <usize>load<u16>(triangles) * VERTEX;
    let b = vertices + <usize>load<u16>(triangles, 2) * VERTEX;
    let c = vertices + <usize>load<u16>(triangles, 4) * VERTEX;
    if (load<f32>(a, ALPHA) <= 0 && load<f32>(b, ALPHA) <= 0 && load<f32>(c, ALPHA) <= 0) continue;
    // Sorts the corners: upper, middle, lower.
    let swap: usize;
    if (load<f32>(b, 4) < load<f32>(a, 4)) { swap = a; a = b; b = swap; }
    if (load<f32>(c, 4) < load<f32>(b, 4)) { swap = b; b = c; c = swap; }
    if (load<f32>(b, 4) < load<f32>(a, 4)) { swap = a; a = b; b = swap; }
    const ax = load<f32>(a), ay = load<f32>(a, 4);
    const bx = load<f32>(b), by = load<f32>(b, 4);
    const cx = load<f32>(c), cy = load<f32>(c, 4);
    const area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay);
    if (abs(area) < 4e-6) continue;
    const inv: f32 = 1.0 / area;
    const e1y = (cy - ay) * inv, e2y = (by - ay) * inv, e1x = (cx - ax) * inv, e2x = (bx - ax) * inv;
    const at0 = v128.load(a, S), d1 = f32x4.sub(v128.load(b, S), at0), d2 = f32x4.sub(v128.load(c, S), at0);
    const gx = f32x4.sub(f32x4.mul(d1, f32x4.splat(e1y)), f32x4.mul(d2, f32x4.splat(e2y)));
    const gy = f32x4.sub(f32x4.mul(d2, f32x4.splat(e2x)), f32x4.mul(d1, f32x4.splat(e1x)));
    const end = spansOf(ax, ay, bx, by, cx, cy, area, at0, gx, gy, y, stride, width, height);
    const g0 = load<f32>(a, GAIN), g1 = load<f32>(b, GAIN) - g0, g2 = load<f32>(c, GAIN) - g0;
    const gAcross = g1 * e1y - g2 * e2y, gDown = g2 * e2x - g1 * e1x, scale: f32 = gain / ONE;
    if (end > SPANS) paintLuma(end, gx, g0 * scale, gAcross * scale, gDown * scale, base, rows, most, textureStride);
    // A chroma pixel is as wide as two luma pixels, in the picture and in the texture.
    const u0 = load<f32>(a, OFFSET_U), u1 = load<f32>(b, OFFSET_U) - u0, u2 = load<f32>(c, OFFSET_U) - u0;
    const atC = f32x4.mul(f32x4.replace_lane(at0, 3, u0), f32x4(0.5, 0.5, 1, 1));
    const gxC = f32x4.mul(f32x4.replace_lane(gx, 3, u1 * e1y - u2 * e2y), f32x4(1, 1, 2, 2));
    const gyC = f32x4.mul(f32x4.replace_lane(gy, 3, u2 * e2x - u1 * e1x), f32x4(1, 1, 2, 2));
    const endC = spansOf(
      ax * 0.5, ay * 0.5, bx * 0.5, by * 0.5, cx * 0.5, cy * 0.5, area, atC, gxC, gyC, u, cStride, cWidth, cHeight,
    );
    if (endC == SPANS) continue;
    const v0 = load<f32>(a, OFFSET_V), v1 = load<f32>(b, OFFSET_V) - v0, v2 = load<f32>(c, OFFSET_V) - v0;
    const vx = <f32>2 * (v1 * e1y - v2 * e2y), vy = <f32>2 * (v2 * e2x - v1 * e1x);
    paintChroma(
      endC, gxC, v0, vx, vy, g0 * saturation, <f32>2 * gAcross * saturation, <f32>2 * gDown * saturation,
      baseC, rowsC, mostC, textureV - textureU, v - u,
    );
  }
}
