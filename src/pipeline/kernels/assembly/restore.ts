/** Restores a part of the picture to what was kept of it. */

// @ts-nocheck AssemblyScript, not TypeScript

import { bilinear, clamped, hold, MAGIC, MAGIC_BITS, ONE } from './simd-lanes';
import { all0, all1, AT, bytes4, COUNT, magic4, mix, ramp4, S, SPAN, SPANS, spansOf, steps4, T, VERTEX, within } from './spans';

/** Restores pixels along the spans up to `end`, at least one. @param kept bytes from a pixel to its kept value. */
function giveBack(end: usize, gx: v128, base: v128, rows: v128, most: v128, size: usize, kept: usize): void {
  const ramp = ramp4(), four = steps4(), one = f32x4.splat(1), magic = magic4(), least = f32x4.splat(-0.5);
  const sx = all0(gx), tx = all1(gx), share = hold(f32x4.splat(1.0 / (255.0 * ONE)));
  const sRamp = hold(f32x4.sub(f32x4.mul(sx, ramp), one)), tRamp = hold(f32x4.sub(f32x4.mul(tx, ramp), one));
  const sx4 = hold(f32x4.mul(sx, four)), tx4 = hold(f32x4.mul(tx, four));
  let span = SPANS;
  do {
    let at = load<usize>(span, AT), left = load<i32>(span, COUNT);
    let s = f32x4.add(v128.load32_splat(span), sRamp), t = f32x4.add(v128.load32_splat(span, 4), tRamp);
    span += SPAN;
    do {
      const x = clamped(s, least, most), y = clamped(t, least, most);
      const xBits = f32x4.add(x, magic), yi = f32x4.sub(f32x4.add(y, magic), magic);
      const place = i32x4.add(f32x4.add(f32x4.mul(yi, rows), xBits), base);
      const back = f32x4.mul(bilinear(place, size, f32x4.sub(x, f32x4.sub(xBits, magic)), f32x4.sub(y, yi)), share);
      mix(at, bytes4(at + kept), v128.and(back, within(left)), magic);
      s = f32x4.add(s, sx4);
      t = f32x4.add(t, tx4);
      at += 4;
      left -= 4;
    } while (left > 0);
  } while (span < end);
}

/**
 * Blends the pixels of a mesh with what was kept: out = out + mask * (kept - out), rounded. Spans as in `warp`.
 * The mask is maskSize² bytes over the texture's area, 255 = restored entirely, sampled bilinearly.
 * Triangles outside of [maskLeft, maskRight) x [maskTop, maskBottom), in pixels of the mask, are skipped.
 * @param shrink pixels of the plane for each luma pixel: 1 or 0.5. @param maskScale mask pixels for each luma texel.
 */
export function restore(
  vertices: usize, triangles: usize, count: i32, shrink: f32,
  mask: usize, maskSize: i32, maskScale: f32, maskLeft: f32, maskTop: f32, maskRight: f32, maskBottom: f32,
  kept: usize, dst: usize, stride: i32, width: i32, height: i32,
): void {
  const base = i32x4.splat(<i32>mask - MAGIC_BITS), rows = f32x4.splat(<f32>maskSize), most = f32x4.splat(<f32>maskSize - 2.504);
  const scale = f32x4.splat(maskScale);
  for (let k = 0; k < count; k++, triangles += 6) {
    let a = vertices + <usize>load<u16>(triangles) * VERTEX;
    let b = vertices + <usize>load<u16>(triangles, 2) * VERTEX;
    let c = vertices + <usize>load<u16>(triangles, 4) * VERTEX;
    const sa = load<f32>(a, S) * maskScale, sb = load<f32>(b, S) * maskScale, sc = load<f32>(c, S) * maskScale;
    if (max(sa, max(sb, sc)) <= maskLeft || min(sa, min(sb, sc)) >= maskRight) continue;
    const ta = load<f32>(a, T) * maskScale, tb = load<f32>(b, T) * maskScale, tc = load<f32>(c, T) * maskScale;
    if (max(ta, max(tb, tc)) <= maskTop || min(ta, min(tb, tc)) >= maskBottom) continue;
    let swap: usize;
    if (load<f32>(b, 4) < load<f32>(a, 4)) { swap = a; a = b; b = swap; }
    if (load<f32>(c, 4) < load<f32>(b, 4)) { swap = b; b = c; c = swap; }
    if (load<f32>(b, 4) < load<f32>(a, 4)) { swap = a; a = b; b = swap; }
    const ax = load<f32>(a) * shrink, ay = load<f32>(a, 4) * shrink;
    const bx = load<f32>(b) * shrink, by = load<f32>(b, 4) * shrink;
    const cx = load<f32>(c) * shrink, cy = load<f32>(c, 4) * shrink;
    const area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay);
    if (abs(area) < 1e-6) continue;
    const inv: f32 = 1.0 / area;
    const at0 = f32x4.mul(v128.load(a, S), scale), d1 = f32x4.sub(f32x4.mul(v128.load(b, S), scale), at0), d2 = f32x4.sub(f32x4.mul(v128.load(c, S), scale), at0);
    const gx = f32x4.sub(f32x4.mul(d1, f32x4.splat((cy - ay) * inv)), f32x4.mul(d2, f32x4.splat((by - ay) * inv)));
    const gy = f32x4.sub(f32x4.mul(d2, f32x4.splat((bx - ax) * inv)), f32x4.mul(d1, f32x4.splat((cx - ax) * inv)));
    const end = spansOf(ax, ay, bx, by, cx, cy, area, at0, gx, gy, dst, stride, width, height);
    if (end > SPANS) giveBack(end, gx, base, rows, most, maskSize, kept - dst);
  }
}
