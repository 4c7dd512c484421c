/** Gives a part of the picture back what was there before. */

// @ts-nocheck AssemblyScript, not TypeScript

import { S, T, VERTEX } from './warp';

/**
 * Gives pixels of a mesh back what was there before: out = out + mask * (kept - out), rounded. Spans as in `warp`.
 * The mask is maskSize² bytes over the texture's area, 255 = all given back, sampled bilinearly.
 * Triangles outside of [maskLeft, maskRight) x [maskTop, maskBottom), in pixels of the mask, are left alone.
 * @param shrink of the plane; @param maskScale from texture pixels (luma) to mask pixels.
 */
export function restore(
  vertices: usize, triangles: usize, count: i32, shrink: f32,
  mask: usize, maskSize: i32, maskScale: f32, maskLeft: f32, maskTop: f32, maskRight: f32, maskBottom: f32,
  kept: usize, dst: usize, stride: i32, width: i32, height: i32,
): void {
  const limit: f32 = <f32>(maskSize - 2);
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
    const e1y = (cy - ay) * inv, e2y = (by - ay) * inv, e1x = (cx - ax) * inv, e2x = (bx - ax) * inv;
    const s0 = load<f32>(a, S) * maskScale, s1 = load<f32>(b, S) * maskScale - s0, s2 = load<f32>(c, S) * maskScale - s0;
    const t0 = load<f32>(a, T) * maskScale, t1 = load<f32>(b, T) * maskScale - t0, t2 = load<f32>(c, T) * maskScale - t0;
    const sx = s1 * e1y - s2 * e2y, sy = s2 * e2x - s1 * e1x;
    const tx = t1 * e1y - t2 * e2y, ty = t2 * e2x - t1 * e1x;
    const slopeLong = (cx - ax) / (cy - ay);
    const slopeUpper = by > ay ? (bx - ax) / (by - ay) : <f32>0;
    const slopeLower = cy > by ? (cx - bx) / (cy - by) : <f32>0;
    const first = max(0, <i32>ceil(ay - 0.5)), last = min(height, <i32>ceil(cy - 0.5));
    for (let row = first; row < last; row++) {
      const yc = <f32>row + 0.5;
      let left = ax + (yc - ay) * slopeLong;
      let right = yc < by ? ax + (yc - ay) * slopeUpper : bx + (yc - by) * slopeLower;
      if (right < left) { const m = left; left = right; right = m; }
      const from = max(0, <i32>ceil(left - 0.5)), to = min(width, <i32>ceil(right - 0.5));
      const dx = <f32>from + 0.5 - ax, dy = yc - ay;
      let s = s0 + dx * sx + dy * sy - 0.5, t = t0 + dx * tx + dy * ty - 0.5;
      let at = <usize>(row * stride + from);
      for (let x = from; x < to; x++, at++, s += sx, t += tx) {
        const sm = min(max(s, <f32>0), limit), tm = min(max(t, <f32>0), limit);
        const si = <i32>sm, ti = <i32>tm;
        const fs = sm - <f32>si, ft = tm - <f32>ti;
        const p = mask + <usize>(ti * maskSize + si);
        const upper: f32 = <f32>load<u8>(p) + (<f32>load<u8>(p, 1) - <f32>load<u8>(p)) * fs;
        const lower: f32 = <f32>load<u8>(p + <usize>maskSize) + (<f32>load<u8>(p + <usize>maskSize, 1) - <f32>load<u8>(p + <usize>maskSize)) * fs;
        const m: f32 = (upper + (lower - upper) * ft) * (1.0 / 255.0);
        const have: f32 = <f32>load<u8>(dst + at), was: f32 = <f32>load<u8>(kept + at);
        store<u8>(dst + at, <u8>(have + m * (was - have) + 0.5));
      }
    }
  }
}
