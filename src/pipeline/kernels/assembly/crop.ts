/** Samples a rotated square of the picture into a model's input tensor. */

// @ts-nocheck AssemblyScript, not TypeScript

import { bilinear, bytesAt, clamped, hold, MAGIC, MAGIC_BITS, ONE } from './simd-lanes';

/** Stores four pixels as r0 g0 b0 r1 | g1 b1 r2 g2 | b2 r3 g3 b3: each luma plus its share of a channel, clamped. */
// @ts-ignore
@inline
function putRgb(out: usize, luma: v128, red: v128, green: v128, blue: v128, low: v128, top: v128): void {
  const r = clamped(f32x4.add(luma, red), low, top), g = clamped(f32x4.add(luma, green), low, top), b = clamped(f32x4.add(luma, blue), low, top);
  const rg = v128.shuffle<f32>(r, g, 0, 4, 1, 5), rgHigh = v128.shuffle<f32>(r, g, 2, 6, 3, 7);
  v128.store(out, v128.shuffle<f32>(rg, b, 0, 1, 4, 2));
  v128.store(out, v128.shuffle<f32>(v128.shuffle<f32>(rg, b, 3, 5, 3, 5), rgHigh, 0, 1, 4, 5), 16);
  v128.store(out, v128.shuffle<f32>(v128.shuffle<f32>(b, rgHigh, 2, 6, 7, 3), b, 0, 1, 2, 7), 32);
}

/** Luma at four places of a plane, whose coordinates are half a pixel low. */
// @ts-ignore
@inline
function lumaAt(px: v128, py: v128, least: v128, mostX: v128, mostY: v128, magic: v128, rows: v128, base: v128, stride: usize, gain: v128): v128 {
  const x = clamped(px, least, mostX), y = clamped(py, least, mostY);
  const xBits = f32x4.add(x, magic), yi = f32x4.sub(f32x4.add(y, magic), magic);
  const at = i32x4.add(f32x4.add(f32x4.mul(yi, rows), xBits), base);
  return f32x4.mul(bilinear(at, stride, f32x4.sub(x, f32x4.sub(xBits, magic)), f32x4.sub(y, yi)), gain);
}

/** The first and second lane, twice each; `twiceHigh`: the third and fourth. */
// @ts-ignore
@inline
function twiceLow(x: v128): v128 { return v128.shuffle<f32>(x, x, 0, 0, 1, 1); }
// @ts-ignore
@inline
function twiceHigh(x: v128): v128 { return v128.shuffle<f32>(x, x, 2, 2, 3, 3); }

/**
 * Samples a rotated square of an I420 picture (BT.601, limited range) into an n x n RGB tensor [n, n, 3], edges
 * replicated. n is at least 8. (ox, oy) is the tensor's corner in the luma plane, (cx, cy) the step of one tensor
 * column; the step of a row is (-cy, cx). Luma is sampled bilinearly from a plane `1 << shift` times smaller than
 * the picture; chroma is the nearest sample, shared by two columns as in the picture itself. Values are rgb(0..1) *
 * scale + bias. Planes are at least 2 pixels wide and high.
 */
export function cropToTensor(
  y: usize, yStride: i32, yWidth: i32, yHeight: i32, shift: i32,
  u: usize, v: usize, cStride: i32, cWidth: i32, cHeight: i32,
  ox: f32, oy: f32, cx: f32, cy: f32, n: i32, out: usize, scale: f32, bias: f32,
): void {
  const shrink: f32 = 1.0 / <f32>(1 << shift);
  const half = f32x4.splat(0.5), one = f32x4.splat(1), magic = hold(f32x4.splat(MAGIC));
  const ramp = f32x4(0.5, 1.5, 2.5, 3.5), rampC = f32x4(1, 3, 5, 7);
  // Coordinates are half a pixel low, so that rounding to the nearest is rounding down.
  const least = hold(f32x4.splat(-0.5));
  const mostX = hold(f32x4.splat(<f32>yWidth - 1.504)), mostY = hold(f32x4.splat(<f32>yHeight - 1.504));
  const mostU = hold(f32x4.splat(<f32>cWidth - 0.504)), mostV = hold(f32x4.splat(<f32>cHeight - 0.504));
  const rowsY = hold(f32x4.splat(<f32>yStride)), rowsC = hold(f32x4.splat(<f32>cStride));
  const baseY = hold(i32x4.splat(<i32>y - MAGIC_BITS)), baseU = hold(i32x4.splat(<i32>u - MAGIC_BITS)), apart = v - u;
  const gain = hold(f32x4.splat((255.0 / 219.0 / 255.0) * scale / ONE)), black = hold(f32x4.splat(bias - (16.0 / 219.0) * scale));
  const rv = hold(f32x4.splat(1.596027 / 255.0 * scale)), gu = hold(f32x4.splat(-0.391762 / 255.0 * scale));
  const gv = hold(f32x4.splat(-0.812968 / 255.0 * scale)), bu = hold(f32x4.splat(2.017232 / 255.0 * scale));
  const low = hold(f32x4.splat(bias)), top = hold(f32x4.splat(scale + bias)), grey = hold(f32x4.splat(128));
  const stepX = hold(f32x4.splat(4 * cx * shrink)), stepY = hold(f32x4.splat(4 * cy * shrink));
  const stepU = hold(f32x4.splat(4 * cx)), stepV = hold(f32x4.splat(4 * cy));
  const rampX = hold(f32x4.sub(f32x4.mul(ramp, f32x4.splat(cx * shrink)), one)), rampY = hold(f32x4.sub(f32x4.mul(ramp, f32x4.splat(cy * shrink)), one));
  const rampU = hold(f32x4.sub(f32x4.mul(rampC, f32x4.splat(0.5 * cx)), half)), rampV = hold(f32x4.sub(f32x4.mul(rampC, f32x4.splat(0.5 * cy)), half));
  for (let j = 0; j < n; j++) {
    const fj = <f32>j + 0.5;
    const sx = ox - fj * cy, sy = oy + fj * cx;
    let px = f32x4.add(f32x4.splat(sx * shrink), rampX), py = f32x4.add(f32x4.splat(sy * shrink), rampY);
    let pu = f32x4.add(f32x4.splat(0.5 * sx), rampU), pv = f32x4.add(f32x4.splat(0.5 * sy), rampV);
    for (let i = 0; i < n; i += 8) {
      if (i > n - 8) {
        // The last eight columns overlap the previous ones.
        const back = <f32>(i + 8 - n) * 0.25, backC = f32x4.splat(back * 0.5), back1 = f32x4.splat(back);
        px = f32x4.sub(px, f32x4.mul(stepX, back1));
        py = f32x4.sub(py, f32x4.mul(stepY, back1));
        pu = f32x4.sub(pu, f32x4.mul(stepU, backC));
        pv = f32x4.sub(pv, f32x4.mul(stepV, backC));
        out -= <usize>((i + 8 - n) * 12);
      }
      const vi = f32x4.sub(f32x4.add(clamped(pv, least, mostV), magic), magic);
      const c = i32x4.add(f32x4.add(f32x4.mul(vi, rowsC), f32x4.add(clamped(pu, least, mostU), magic)), baseU);
      const c0 = <usize>i32x4.extract_lane(c, 0), c1 = <usize>i32x4.extract_lane(c, 1), c2 = <usize>i32x4.extract_lane(c, 2), c3 = <usize>i32x4.extract_lane(c, 3);
      const uu = f32x4.sub(bytesAt(c0, c1, c2, c3), grey), vv = f32x4.sub(bytesAt(c0 + apart, c1 + apart, c2 + apart, c3 + apart), grey);
      const red = f32x4.add(f32x4.mul(rv, vv), black), blue = f32x4.add(f32x4.mul(bu, uu), black);
      const green = f32x4.add(f32x4.add(f32x4.mul(gu, uu), f32x4.mul(gv, vv)), black);
      const luma = lumaAt(px, py, least, mostX, mostY, magic, rowsY, baseY, yStride, gain);
      putRgb(out, luma, twiceLow(red), twiceLow(green), twiceLow(blue), low, top);
      px = f32x4.add(px, stepX);
      py = f32x4.add(py, stepY);
      const next = lumaAt(px, py, least, mostX, mostY, magic, rowsY, baseY, yStride, gain);
      putRgb(out + 48, next, twiceHigh(red), twiceHigh(green), twiceHigh(blue), low, top);
      px = f32x4.add(px, stepX);
      py = f32x4.add(py, stepY);
      out += 96;
      pu = f32x4.add(pu, stepU);
      pv = f32x4.add(pv, stepV);
    }
  }
}

