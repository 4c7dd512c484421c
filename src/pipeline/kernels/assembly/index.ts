/**
 * The pixel loops. Every address comes from the host, which lays the memory out once and never grows it; nothing is
 * allocated here. Coordinates are continuous: pixel i covers [i, i + 1), its centre is i + 0.5.
 */

// @ts-nocheck AssemblyScript, not TypeScript

export { paste, texels, tiles } from './aligned';

/** Halves a plane: each output pixel is the mean of 2x2 input pixels. `width` and `height` are the output's. */
export function halve(src: usize, srcStride: i32, dst: usize, dstStride: i32, width: i32, height: i32): void {
  const low = i16x8.splat(0xff);
  for (let y = 0; y < height; y++) {
    let a = src + <usize>(2 * y * srcStride);
    let b = a + <usize>srcStride;
    let to = dst + <usize>(y * dstStride);
    let x = 0;
    for (; x + 8 <= width; x += 8) {
      const p = v128.load(a), q = v128.load(b);
      // even and odd bytes of both rows, summed in 16 bits
      const even = i16x8.add(v128.and(p, low), v128.and(q, low));
      const odd = i16x8.add(i16x8.shr_u(p, 8), i16x8.shr_u(q, 8));
      const mean = i16x8.shr_u(i16x8.add(i16x8.add(even, odd), i16x8.splat(2)), 2);
      v128.store64_lane(to, i8x16.narrow_i16x8_u(mean, mean), 0);
      a += 16; b += 16; to += 8;
    }
    for (; x < width; x++) {
      store<u8>(to, (<u32>load<u8>(a) + <u32>load<u8>(a, 1) + <u32>load<u8>(b) + <u32>load<u8>(b, 1) + 2) >> 2);
      a += 2; b += 2; to += 1;
    }
  }
}

// @ts-ignore
@inline
function clampI(v: i32, hi: i32): i32 { return min(max(v, 0), hi); }

/**
 * Samples a rotated square of an I420 picture into an n x n RGB tensor [n, n, 3], edges replicated.
 * (ox, oy) is where the tensor's corner lies in the luma plane, (cx, cy) how far one tensor column goes; a row goes
 * (-cy, cx). Luma is bilinear from a plane `1 << shift` times smaller than the picture, chroma nearest.
 * Values come out as rgb(0..1) * scale + bias.
 */
export function cropToTensor(
  y: usize, yStride: i32, yWidth: i32, yHeight: i32, shift: i32,
  u: usize, v: usize, cStride: i32, cWidth: i32, cHeight: i32,
  ox: f32, oy: f32, cx: f32, cy: f32, n: i32, out: usize, scale: f32, bias: f32,
): void {
  const shrink: f32 = 1.0 / <f32>(1 << shift);
  const one: f32 = 65536.0;
  // 16.16 fixed point walks; luma sampled at its pixel centres, hence the half
  const lx = <i32>(cx * shrink * one), ly = <i32>(cy * shrink * one);
  const kx = <i32>(cx * 0.5 * one), ky = <i32>(cy * 0.5 * one);
  const maxX = (yWidth - 1) << 16, maxY = (yHeight - 1) << 16;
  const gain: f32 = (255.0 / 219.0 / 255.0) * scale;
  const rv: f32 = 1.596027 / 255.0 * scale, gu: f32 = -0.391762 / 255.0 * scale, gv: f32 = -0.812968 / 255.0 * scale, bu: f32 = 2.017232 / 255.0 * scale;
  const top: f32 = scale + bias;
  for (let j = 0; j < n; j++) {
    const fj = <f32>j + 0.5;
    const sx = ox + 0.5 * cx - fj * cy, sy = oy + 0.5 * cy + fj * cx;
    let px = <i32>((sx * shrink - 0.5) * one), py = <i32>((sy * shrink - 0.5) * one);
    let qx = <i32>(sx * 0.5 * one), qy = <i32>(sy * 0.5 * one);
    for (let i = 0; i < n; i++) {
      const x = clampI(px, maxX), yy = clampI(py, maxY);
      const xi = x >> 16, yi = yy >> 16;
      const fx = (x >> 8) & 0xff, fy = (yy >> 8) & 0xff;
      const at = y + <usize>(yi * yStride + xi);
      const right = <usize>(xi < yWidth - 1 ? 1 : 0), down: usize = yi < yHeight - 1 ? <usize>yStride : 0;
      const a = <i32>load<u8>(at), b = <i32>load<u8>(at + right), c = <i32>load<u8>(at + down), d = <i32>load<u8>(at + down + right);
      const upper = (a << 8) + (b - a) * fx, lower = (c << 8) + (d - c) * fx;
      const luma: f32 = <f32>((upper << 8) + (lower - upper) * fy) * (1.0 / 65536.0) - 16.0;
      const c0 = <usize>(clampI(qy >> 16, cHeight - 1) * cStride + clampI(qx >> 16, cWidth - 1));
      const uu: f32 = <f32>load<u8>(u + c0) - 128.0, vv: f32 = <f32>load<u8>(v + c0) - 128.0;
      const base = luma * gain + bias;
      store<f32>(out, min(max(base + rv * vv, bias), top));
      store<f32>(out, min(max(base + gu * uu + gv * vv, bias), top), 4);
      store<f32>(out, min(max(base + bu * uu, bias), top), 8);
      out += 12;
      px += lx; py += ly; qx += kx; qy += ky;
    }
  }
}

/** Mean of the RGB tensor over a square of `2 * radius + 1` about each point (x, y in tensor pixels) into [count, 3]. */
export function meansAt(tensor: usize, n: i32, points: usize, pointStride: i32, count: i32, radius: i32, out: usize): void {
  const side: i32 = 2 * radius + 1;
  const pixels: i32 = side * side;
  const share: f32 = 1.0 / <f32>pixels;
  for (let k = 0; k < count; k++) {
    const cx = <i32>floor(load<f32>(points)), cy = <i32>floor(load<f32>(points, 4));
    let sum = f32x4.splat(0);
    for (let dy = -radius; dy <= radius; dy++) {
      const row = tensor + <usize>(clampI(cy + dy, n - 1) * n * 12);
      for (let dx = -radius; dx <= radius; dx++) {
        sum = f32x4.add(sum, v128.load(row + <usize>(clampI(cx + dx, n - 1) * 12)));
      }
    }
    sum = f32x4.mul(sum, f32x4.splat(share));
    store<f32>(out, f32x4.extract_lane(sum, 0));
    store<f32>(out, f32x4.extract_lane(sum, 1), 4);
    store<f32>(out, f32x4.extract_lane(sum, 2), 8);
    out += 12;
    points += pointStride;
  }
}

/** Bytes of one vertex: x, y, s, t, alpha, spare, then gain and offset of Y, U, V. */
const VERTEX: usize = 48;
const S: usize = 8, T: usize = 12, ALPHA: usize = 16;

/**
 * Draws a textured mesh into one plane, in place: out = in + alpha * (texture * gain + offset - in), rounded.
 * Vertices are in luma pixels of the region and of the texture; `shrink` is 1 for luma and 0.5 for a chroma plane.
 * Spans are half open and every edge is walked from its upper end, so two triangles that share an edge never blend
 * the same pixel twice.
 * @param attribute byte offset of the plane's gain in a vertex; its offset follows.
 */
export function warp(
  vertices: usize, triangles: usize, count: i32, shrink: f32, attribute: usize,
  texture: usize, textureSize: i32, dst: usize, stride: i32, width: i32, height: i32,
): void {
  const limit = f32x4.splat(<f32>(textureSize - 2));
  const ramp = f32x4(0, 1, 2, 3);
  const byte = i32x4.splat(0xff);
  const half = f32x4.splat(0.5);
  for (let k = 0; k < count; k++, triangles += 6) {
    let a = vertices + <usize>load<u16>(triangles) * VERTEX;
    let b = vertices + <usize>load<u16>(triangles, 2) * VERTEX;
    let c = vertices + <usize>load<u16>(triangles, 4) * VERTEX;
    // upper, middle, lower
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
    // gradients of s, t, alpha, gain, offset over the plane of the triangle
    const e1y = (cy - ay) * inv, e2y = (by - ay) * inv, e1x = (cx - ax) * inv, e2x = (bx - ax) * inv;
    const s0 = load<f32>(a, S) * shrink, s1 = load<f32>(b, S) * shrink - s0, s2 = load<f32>(c, S) * shrink - s0;
    const t0 = load<f32>(a, T) * shrink, t1 = load<f32>(b, T) * shrink - t0, t2 = load<f32>(c, T) * shrink - t0;
    const a0 = load<f32>(a, ALPHA), a1 = load<f32>(b, ALPHA) - a0, a2 = load<f32>(c, ALPHA) - a0;
    const g0 = load<f32>(a + attribute), g1 = load<f32>(b + attribute) - g0, g2 = load<f32>(c + attribute) - g0;
    const o0 = load<f32>(a + attribute, 4), o1 = load<f32>(b + attribute, 4) - o0, o2 = load<f32>(c + attribute, 4) - o0;
    const sx = s1 * e1y - s2 * e2y, sy = s2 * e2x - s1 * e1x;
    const tx = t1 * e1y - t2 * e2y, ty = t2 * e2x - t1 * e1x;
    const alx = a1 * e1y - a2 * e2y, aly = a2 * e2x - a1 * e1x;
    const gx = g1 * e1y - g2 * e2y, gy = g2 * e2x - g1 * e1x;
    const ofx = o1 * e1y - o2 * e2y, ofy = o2 * e2x - o1 * e1x;
    const sx4 = f32x4.mul(f32x4.splat(sx), ramp), tx4 = f32x4.mul(f32x4.splat(tx), ramp);
    const ax4 = f32x4.mul(f32x4.splat(alx), ramp), gx4 = f32x4.mul(f32x4.splat(gx), ramp), ox4 = f32x4.mul(f32x4.splat(ofx), ramp);

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
      if (from >= to) continue;
      const dx = <f32>from + 0.5 - ax, dy = yc - ay;
      let s = f32x4.add(f32x4.splat(s0 + dx * sx + dy * sy - 0.5), sx4);
      let t = f32x4.add(f32x4.splat(t0 + dx * tx + dy * ty - 0.5), tx4);
      let al = f32x4.add(f32x4.splat(a0 + dx * alx + dy * aly), ax4);
      let g = f32x4.add(f32x4.splat(g0 + dx * gx + dy * gy), gx4);
      let o = f32x4.add(f32x4.splat(o0 + dx * ofx + dy * ofy), ox4);
      const sStep = f32x4.splat(4 * sx), tStep = f32x4.splat(4 * tx), aStep = f32x4.splat(4 * alx), gStep = f32x4.splat(4 * gx), oStep = f32x4.splat(4 * ofx);
      let at = dst + <usize>(row * stride + from);
      for (let x = from; x < to; x += 4) {
        const sc = f32x4.min(f32x4.max(s, f32x4.splat(0)), limit), tc = f32x4.min(f32x4.max(t, f32x4.splat(0)), limit);
        const si = i32x4.trunc_sat_f32x4_s(sc), ti = i32x4.trunc_sat_f32x4_s(tc);
        const fs = f32x4.sub(sc, f32x4.convert_i32x4_s(si)), ft = f32x4.sub(tc, f32x4.convert_i32x4_s(ti));
        const address = i32x4.add(i32x4.mul(ti, i32x4.splat(textureSize)), si);
        const p0 = texture + <usize>i32x4.extract_lane(address, 0), p1 = texture + <usize>i32x4.extract_lane(address, 1);
        const p2 = texture + <usize>i32x4.extract_lane(address, 2), p3 = texture + <usize>i32x4.extract_lane(address, 3);
        const upper = i32x4(load<u16>(p0), load<u16>(p1), load<u16>(p2), load<u16>(p3));
        const lower = i32x4(
          load<u16>(p0 + <usize>textureSize), load<u16>(p1 + <usize>textureSize),
          load<u16>(p2 + <usize>textureSize), load<u16>(p3 + <usize>textureSize),
        );
        const ul = f32x4.convert_i32x4_s(v128.and(upper, byte)), ur = f32x4.convert_i32x4_s(i32x4.shr_u(upper, 8));
        const ll = f32x4.convert_i32x4_s(v128.and(lower, byte)), lr = f32x4.convert_i32x4_s(i32x4.shr_u(lower, 8));
        const uv = f32x4.add(ul, f32x4.mul(f32x4.sub(ur, ul), fs));
        const lv = f32x4.add(ll, f32x4.mul(f32x4.sub(lr, ll), fs));
        const texel = f32x4.add(uv, f32x4.mul(f32x4.sub(lv, uv), ft));
        const want = f32x4.add(f32x4.mul(texel, g), o);
        const have4 = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(at)));
        const have = f32x4.convert_i32x4_s(have4);
        const mixed = f32x4.add(f32x4.add(have, f32x4.mul(f32x4.sub(want, have), al)), half);
        const whole = i32x4.trunc_sat_f32x4_s(mixed);
        const words = i16x8.narrow_i32x4_s(whole, whole);
        const bytes = i8x16.narrow_i16x8_u(words, words);
        const left = to - x;
        if (left >= 4) {
          v128.store32_lane(at, bytes, 0);
        } else {
          store<u8>(at, i8x16.extract_lane_u(bytes, 0));
          if (left > 1) store<u8>(at, i8x16.extract_lane_u(bytes, 1), 1);
          if (left > 2) store<u8>(at, i8x16.extract_lane_u(bytes, 2), 2);
        }
        at += 4;
        s = f32x4.add(s, sStep); t = f32x4.add(t, tStep); al = f32x4.add(al, aStep); g = f32x4.add(g, gStep); o = f32x4.add(o, oStep);
      }
    }
  }
}
