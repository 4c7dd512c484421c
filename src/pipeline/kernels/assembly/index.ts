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
 * Adding this to a float between -2^22 and 2^22 rounds it to the nearest whole number, which then stands in the low
 * bits; taking it away again leaves the whole number as a float. Far cheaper than SIMD conversions, which mind NaN and
 * overflow. An address takes the bits as they are, from a base that is MAGIC_BITS lower.
 */
const MAGIC: f32 = 12582912.0;
const MAGIC_BITS: i32 = 0x4b400000;
/** One, in the fixed point of a bilinear weight. */
const ONE: f32 = 16384.0;

// @ts-ignore
@inline
function nearest(x: f32): i32 { return reinterpret<i32>(x + MAGIC) - MAGIC_BITS; }

// @ts-ignore
@inline
function clamped(x: v128, least: v128, most: v128): v128 { return f32x4.pmin(most, f32x4.pmax(least, x)); }

/** Four horizontal weights (0..1) as pairs of 16 bits: of the left pixel and of the right. */
// @ts-ignore
@inline
function pairs(fx: v128): v128 {
  const right = i32x4.sub(f32x4.add(f32x4.mul(fx, f32x4.splat(ONE)), f32x4.splat(MAGIC)), i32x4.splat(MAGIC_BITS));
  return i32x4.add(i32x4.sub(i32x4.shl(right, 16), right), i32x4.splat(16384));
}

/** Bilinear values, times ONE, of the bytes at four addresses and their right and lower neighbours. */
// @ts-ignore
@inline
function bilinear(p0: usize, p1: usize, p2: usize, p3: usize, stride: usize, weights: v128, fy: v128): v128 {
  let q = i32x4.splat(0);
  q = v128.load16_lane(p0, q, 0);
  q = v128.load16_lane(p1, q, 1);
  q = v128.load16_lane(p2, q, 2);
  q = v128.load16_lane(p3, q, 3);
  q = v128.load16_lane(p0 + stride, q, 4);
  q = v128.load16_lane(p1 + stride, q, 5);
  q = v128.load16_lane(p2 + stride, q, 6);
  q = v128.load16_lane(p3 + stride, q, 7);
  const upper = f32x4.convert_i32x4_s(i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_u(q), weights));
  const lower = f32x4.convert_i32x4_s(i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_u(q), weights));
  return f32x4.add(upper, f32x4.mul(f32x4.sub(lower, upper), fy));
}

/** The bytes at four addresses as floats. */
// @ts-ignore
@inline
function bytesAt(p0: usize, p1: usize, p2: usize, p3: usize): v128 {
  let q = i32x4.splat(0);
  q = v128.load8_lane(p0, q, 0);
  q = v128.load8_lane(p1, q, 4);
  q = v128.load8_lane(p2, q, 8);
  q = v128.load8_lane(p3, q, 12);
  return f32x4.convert_i32x4_s(q);
}

/** Four pixels of three channels (lanes of r, g, b) as r0 g0 b0 r1 | g1 b1 r2 g2 | b2 r3 g3 b3. */
// @ts-ignore
@inline
function putRgb(out: usize, r: v128, g: v128, b: v128): void {
  const rg = v128.shuffle<f32>(r, g, 0, 4, 1, 5), rgHigh = v128.shuffle<f32>(r, g, 2, 6, 3, 7);
  v128.store(out, v128.shuffle<f32>(rg, b, 0, 1, 4, 2));
  v128.store(out, v128.shuffle<f32>(v128.shuffle<f32>(rg, b, 3, 5, 3, 5), rgHigh, 0, 1, 4, 5), 16);
  v128.store(out, v128.shuffle<f32>(v128.shuffle<f32>(b, rgHigh, 2, 6, 7, 3), b, 0, 1, 2, 7), 32);
}

/** The first and the second of two lanes, twice each; the third and the fourth. */
// @ts-ignore
@inline
function twiceLow(x: v128): v128 { return v128.shuffle<f32>(x, x, 0, 0, 1, 1); }
// @ts-ignore
@inline
function twiceHigh(x: v128): v128 { return v128.shuffle<f32>(x, x, 2, 2, 3, 3); }

/**
 * Samples a rotated square of an I420 picture into an n x n RGB tensor [n, n, 3], edges replicated. n is at least 8.
 * (ox, oy) is where the tensor's corner lies in the luma plane, (cx, cy) how far one tensor column goes; a row goes
 * (-cy, cx). Luma is bilinear from a plane `1 << shift` times smaller than the picture; chroma is the nearest, and two
 * columns share it, as the picture's own do. Values come out as rgb(0..1) * scale + bias. Planes are at least 2 pixels
 * wide and high.
 */
export function cropToTensor(
  y: usize, yStride: i32, yWidth: i32, yHeight: i32, shift: i32,
  u: usize, v: usize, cStride: i32, cWidth: i32, cHeight: i32,
  ox: f32, oy: f32, cx: f32, cy: f32, n: i32, out: usize, scale: f32, bias: f32,
): void {
  const shrink: f32 = 1.0 / <f32>(1 << shift);
  const half = f32x4.splat(0.5), one = f32x4.splat(1), magic = f32x4.splat(MAGIC);
  const ramp = f32x4(0.5, 1.5, 2.5, 3.5), rampC = f32x4(1, 3, 5, 7);
  // Places are walked half a pixel low, so that rounding to the nearest is rounding down.
  const least = f32x4.splat(-0.5);
  const mostX = f32x4.splat(<f32>yWidth - 1.504), mostY = f32x4.splat(<f32>yHeight - 1.504);
  const mostU = f32x4.splat(<f32>cWidth - 0.504), mostV = f32x4.splat(<f32>cHeight - 0.504);
  const rowsY = f32x4.splat(<f32>yStride), rowsC = f32x4.splat(<f32>cStride);
  const gain = f32x4.splat((255.0 / 219.0 / 255.0) * scale / ONE), black = f32x4.splat(bias - (16.0 / 219.0) * scale);
  const rv = f32x4.splat(1.596027 / 255.0 * scale), gu = f32x4.splat(-0.391762 / 255.0 * scale);
  const gv = f32x4.splat(-0.812968 / 255.0 * scale), bu = f32x4.splat(2.017232 / 255.0 * scale);
  const low = f32x4.splat(bias), top = f32x4.splat(scale + bias), grey = f32x4.splat(128);
  const stepX = f32x4.splat(4 * cx * shrink), stepY = f32x4.splat(4 * cy * shrink);
  const stepU = f32x4.splat(4 * cx), stepV = f32x4.splat(4 * cy);
  const rampX = f32x4.sub(f32x4.mul(ramp, f32x4.splat(cx * shrink)), one), rampY = f32x4.sub(f32x4.mul(ramp, f32x4.splat(cy * shrink)), one);
  const rampU = f32x4.sub(f32x4.mul(rampC, f32x4.splat(0.5 * cx)), half), rampV = f32x4.sub(f32x4.mul(rampC, f32x4.splat(0.5 * cy)), half);
  y -= MAGIC_BITS; u -= MAGIC_BITS; v -= MAGIC_BITS;
  for (let j = 0; j < n; j++) {
    const fj = <f32>j + 0.5;
    const sx = ox - fj * cy, sy = oy + fj * cx;
    let px = f32x4.add(f32x4.splat(sx * shrink), rampX), py = f32x4.add(f32x4.splat(sy * shrink), rampY);
    let pu = f32x4.add(f32x4.splat(0.5 * sx), rampU), pv = f32x4.add(f32x4.splat(0.5 * sy), rampV);
    for (let i = 0; i < n; i += 8) {
      if (i > n - 8) {
        // The last eight overlap those before.
        const back = <f32>(i + 8 - n) * 0.25, backC = f32x4.splat(back * 0.5), back1 = f32x4.splat(back);
        px = f32x4.sub(px, f32x4.mul(stepX, back1));
        py = f32x4.sub(py, f32x4.mul(stepY, back1));
        pu = f32x4.sub(pu, f32x4.mul(stepU, backC));
        pv = f32x4.sub(pv, f32x4.mul(stepV, backC));
        out -= <usize>((i + 8 - n) * 12);
      }
      const ui = f32x4.sub(f32x4.add(clamped(pu, least, mostU), magic), magic), vi = f32x4.sub(f32x4.add(clamped(pv, least, mostV), magic), magic);
      const c = f32x4.add(f32x4.add(f32x4.mul(vi, rowsC), ui), magic);
      const c0 = <usize>i32x4.extract_lane(c, 0), c1 = <usize>i32x4.extract_lane(c, 1), c2 = <usize>i32x4.extract_lane(c, 2), c3 = <usize>i32x4.extract_lane(c, 3);
      const uu = f32x4.sub(bytesAt(u + c0, u + c1, u + c2, u + c3), grey), vv = f32x4.sub(bytesAt(v + c0, v + c1, v + c2, v + c3), grey);
      const red = f32x4.add(f32x4.mul(rv, vv), black), blue = f32x4.add(f32x4.mul(bu, uu), black);
      const green = f32x4.add(f32x4.add(f32x4.mul(gu, uu), f32x4.mul(gv, vv)), black);
      for (let side = 0; side < 2; side++) {
        const x = clamped(px, least, mostX), yy = clamped(py, least, mostY);
        const xi = f32x4.sub(f32x4.add(x, magic), magic), yi = f32x4.sub(f32x4.add(yy, magic), magic);
        const fx = f32x4.add(f32x4.sub(x, xi), half), fy = f32x4.add(f32x4.sub(yy, yi), half);
        const at = f32x4.add(f32x4.add(f32x4.mul(yi, rowsY), xi), magic);
        const luma = f32x4.mul(bilinear(
          y + <usize>i32x4.extract_lane(at, 0), y + <usize>i32x4.extract_lane(at, 1),
          y + <usize>i32x4.extract_lane(at, 2), y + <usize>i32x4.extract_lane(at, 3), yStride, pairs(fx), fy,
        ), gain);
        const r = clamped(f32x4.add(luma, side == 0 ? twiceLow(red) : twiceHigh(red)), low, top);
        const g = clamped(f32x4.add(luma, side == 0 ? twiceLow(green) : twiceHigh(green)), low, top);
        const b = clamped(f32x4.add(luma, side == 0 ? twiceLow(blue) : twiceHigh(blue)), low, top);
        putRgb(out, r, g, b);
        out += 48;
        px = f32x4.add(px, stepX);
        py = f32x4.add(py, stepY);
      }
      pu = f32x4.add(pu, stepU);
      pv = f32x4.add(pv, stepV);
    }
  }
}

/**
 * Reads a byte of every cache line of a part of memory, in order. What a model's run has driven out of the nearer caches comes
 * back in a stream, as the processor sees it coming; in the order that a mesh asks for it, each line is waited for.
 */
export function touch(at: usize, bytes: i32): i32 {
  let sum = 0;
  for (const end = at + <usize>bytes; at < end; at += LINE) sum += load<u8>(at);
  return sum;
}

/** Bytes of a cache line. */
const LINE: usize = 64;

/** Mean of the RGB tensor over a square of `2 * radius + 1` about each point (x, y in tensor pixels) into [count, 3]. */
export function meansAt(tensor: usize, n: i32, points: usize, pointStride: i32, count: i32, radius: i32, out: usize): void {
  const side: i32 = 2 * radius + 1;
  const pixels: i32 = side * side;
  const share: f32 = 1.0 / <f32>pixels;
  for (let k = 0; k < count; k++) {
    const cx = <i32>floor(load<f32>(points)), cy = <i32>floor(load<f32>(points, 4));
    // Two sums, as each addition waits for the one before.
    let sum = f32x4.splat(0), other = f32x4.splat(0);
    if (cx >= radius && cy >= radius && cx < n - radius && cy < n - radius) {
      let row = tensor + <usize>(((cy - radius) * n + cx - radius) * 12);
      for (let dy = 0; dy < side; dy++, row += <usize>(n * 12)) {
        let at = row;
        for (let dx = 0; dx < radius; dx++, at += 24) {
          sum = f32x4.add(sum, v128.load(at));
          other = f32x4.add(other, v128.load(at, 12));
        }
        sum = f32x4.add(sum, v128.load(at));
      }
    } else {
      for (let dy = -radius; dy <= radius; dy++) {
        const row = tensor + <usize>(clampI(cy + dy, n - 1) * n * 12);
        for (let dx = -radius; dx <= radius; dx++) {
          sum = f32x4.add(sum, v128.load(row + <usize>(clampI(cx + dx, n - 1) * 12)));
        }
      }
    }
    sum = f32x4.mul(f32x4.add(sum, other), f32x4.splat(share));
    store<f32>(out, f32x4.extract_lane(sum, 0));
    store<f32>(out, f32x4.extract_lane(sum, 1), 4);
    store<f32>(out, f32x4.extract_lane(sum, 2), 8);
    out += 12;
    points += pointStride;
  }
}

/** Bytes of one place on a mesh: three corner indices, padding, three weights. */
const PLACE: usize = 20;

/**
 * Colours of an RGB tensor [n, n, 3] (0..1) at places on a mesh, bilinear, as Y, U, V (BT.601, limited range) into
 * [count, 3]. Corners are indices into `points`: x, y in tensor pixels.
 */
export function coloursAt(tensor: usize, n: i32, points: usize, places: usize, count: i32, out: usize): void {
  const limit: f32 = <f32>(n - 1) - 0.01;
  for (let k = 0; k < count; k++, places += PLACE, out += 12) {
    const a = points + (<usize>load<u16>(places) << 3), b = points + (<usize>load<u16>(places, 2) << 3), c = points + (<usize>load<u16>(places, 4) << 3);
    const p = load<f32>(places, 8), q = load<f32>(places, 12), r = load<f32>(places, 16);
    const x = min(max(load<f32>(a) * p + load<f32>(b) * q + load<f32>(c) * r - 0.5, <f32>0), limit);
    const y = min(max(load<f32>(a, 4) * p + load<f32>(b, 4) * q + load<f32>(c, 4) * r - 0.5, <f32>0), limit);
    const xi = <i32>x, yi = <i32>y;
    const fx = f32x4.splat(x - <f32>xi), fy = f32x4.splat(y - <f32>yi);
    const at = tensor + <usize>((yi * n + xi) * 12), below = at + <usize>(n * 12);
    const upper = f32x4.add(v128.load(at), f32x4.mul(f32x4.sub(v128.load(at, 12), v128.load(at)), fx));
    const lower = f32x4.add(v128.load(below), f32x4.mul(f32x4.sub(v128.load(below, 12), v128.load(below)), fx));
    const rgb = f32x4.add(upper, f32x4.mul(f32x4.sub(lower, upper), fy));
    const red = f32x4.extract_lane(rgb, 0), green = f32x4.extract_lane(rgb, 1), blue = f32x4.extract_lane(rgb, 2);
    store<f32>(out, 16.0 + 65.481 * red + 128.553 * green + 24.966 * blue);
    store<f32>(out, 128.0 - 37.797 * red - 74.203 * green + 112.0 * blue, 4);
    store<f32>(out, 128.0 + 112.0 * red - 93.786 * green - 18.214 * blue, 8);
  }
}

/** Bytes of one vertex: x, y, s, t, alpha, then what is added to Y, U, V. */
const VERTEX: usize = 32;
const S: usize = 8, T: usize = 12, ALPHA: usize = 16, OFFSET_U: usize = 24, OFFSET_V: usize = 28;

/** Moves the four bytes at `at` towards `want` by `alpha`, rounded and saturated; by none of it they stay as they are. */
// @ts-ignore
@inline
function mix(at: usize, want: v128, alpha: v128): void {
  const now = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(at))));
  const mixed = f32x4.add(now, f32x4.mul(f32x4.sub(want, now), alpha));
  const whole = i32x4.sub(f32x4.add(mixed, f32x4.splat(MAGIC)), i32x4.splat(MAGIC_BITS));
  const words = i16x8.narrow_i32x4_s(whole, whole);
  v128.store32_lane(at, i8x16.narrow_i16x8_u(words, words), 0);
}

/** Lane `k` of x in all four. */
// @ts-ignore
@inline
function all0(x: v128): v128 { return v128.shuffle<f32>(x, x, 0, 0, 0, 0); }
// @ts-ignore
@inline
function all1(x: v128): v128 { return v128.shuffle<f32>(x, x, 1, 1, 1, 1); }
// @ts-ignore
@inline
function all2(x: v128): v128 { return v128.shuffle<f32>(x, x, 2, 2, 2, 2); }
// @ts-ignore
@inline
function all3(x: v128): v128 { return v128.shuffle<f32>(x, x, 3, 3, 3, 3); }

/**
 * Draws a textured mesh into an I420 picture, in place: out = in + alpha * (texture * gain + offset - in), rounded.
 * Vertices are in luma pixels of the region and of the texture. Luma is bilinear; chroma is the nearest texel's, as the
 * texture's chroma is finer than the picture's.
 * No vertex may lie nearer than 0.51 of a texel to the texture's edges.
 * Spans are half open and every edge is walked from its upper end, so two triangles that share an edge round it to the
 * same pixel and never blend one twice. Up to 3 bytes beside a span are written again as they are.
 */
export function warp(
  vertices: usize, triangles: usize, count: i32, gain: f32, saturation: f32,
  textureY: usize, textureStride: i32, textureWidth: i32, textureHeight: i32,
  textureU: usize, textureV: usize, textureCStride: i32, textureCWidth: i32, textureCHeight: i32,
  y: usize, stride: i32, width: i32, height: i32,
  u: usize, v: usize, cStride: i32, cWidth: i32, cHeight: i32,
): void {
  // Places in the texture are walked half a texel low, so that rounding to the nearest is rounding down.
  const half = f32x4.splat(0.5), magic = f32x4.splat(MAGIC), one = f32x4.splat(1);
  const rows = f32x4.splat(<f32>textureStride), rowsC = f32x4.splat(<f32>textureCStride);
  const ramp = f32x4(0, 1, 2, 3), ramp2 = f32x4(0, 2, 4, 6), four = f32x4.splat(4), eight = f32x4.splat(8);
  const gain1 = f32x4.splat(gain / ONE), gainC = f32x4.splat(saturation);
  // Only pixels beside a span, which are not drawn, can lie beyond its corners in the texture: they are kept in its memory.
  const none = f32x4.splat(0), last4 = f32x4.splat(<f32>(textureStride * (textureHeight - 1) - 2));
  const lastC4 = f32x4.splat(<f32>(textureCStride * textureCHeight - 1));
  const base = i32x4.splat(<i32>textureY - MAGIC_BITS), baseC = i32x4.splat(<i32>textureU - MAGIC_BITS);
  const apart = textureV - textureU;
  for (let k = 0; k < count; k++, triangles += 6) {
    let a = vertices + <usize>load<u16>(triangles) * VERTEX;
    let b = vertices + <usize>load<u16>(triangles, 2) * VERTEX;
    let c = vertices + <usize>load<u16>(triangles, 4) * VERTEX;
    const a0 = load<f32>(a, ALPHA), b0 = load<f32>(b, ALPHA), c0 = load<f32>(c, ALPHA);
    if (a0 <= 0 && b0 <= 0 && c0 <= 0) continue;
    // upper, middle, lower
    let swap: usize;
    if (load<f32>(b, 4) < load<f32>(a, 4)) { swap = a; a = b; b = swap; }
    if (load<f32>(c, 4) < load<f32>(b, 4)) { swap = b; b = c; c = swap; }
    if (load<f32>(b, 4) < load<f32>(a, 4)) { swap = a; a = b; b = swap; }
    const ax = load<f32>(a), ay = load<f32>(a, 4);
    const bx = load<f32>(b), by = load<f32>(b, 4);
    const cx = load<f32>(c), cy = load<f32>(c, 4);
    const first = max(0, nearest(ay)), last = min(height, nearest(cy));
    const firstC = max(0, nearest(ay * 0.5)), lastC = min(cHeight, nearest(cy * 0.5));
    if (first >= last && firstC >= lastC) continue;
    const area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay);
    if (abs(area) < 4e-6) continue;
    const inv: f32 = 1.0 / area;
    // s, t, alpha and what is added to Y together, that of U and V apart: at the upper corner, across and down
    const at0 = v128.load(a, S), d1 = f32x4.sub(v128.load(b, S), at0), d2 = f32x4.sub(v128.load(c, S), at0);
    const e1y = f32x4.splat((cy - ay) * inv), e2y = f32x4.splat((by - ay) * inv);
    const e1x = f32x4.splat((cx - ax) * inv), e2x = f32x4.splat((bx - ax) * inv);
    const gx = f32x4.sub(f32x4.mul(d1, e1y), f32x4.mul(d2, e2y)), gy = f32x4.sub(f32x4.mul(d2, e2x), f32x4.mul(d1, e1x));
    const slopeLong = (cx - ax) / (cy - ay);
    const slopeUpper = by > ay ? (bx - ax) / (by - ay) : <f32>0;
    const slopeLower = cy > by ? (cx - bx) / (cy - by) : <f32>0;
    // With the middle corner to the right of the long edge, that is the left one.
    const slopeLeft = area > 0 ? slopeLong : slopeUpper, slopeRight = area > 0 ? slopeUpper : slopeLong;
    const sx = all0(gx), tx = all1(gx), lx = all2(gx), ox = all3(gx);
    if (first < last) {
      const sx4 = f32x4.mul(sx, four), tx4 = f32x4.mul(tx, four), lx4 = f32x4.mul(lx, four), ox4 = f32x4.mul(ox, four);
      const sRamp = f32x4.sub(f32x4.mul(sx, ramp), one), tRamp = f32x4.sub(f32x4.mul(tx, ramp), one);
      const lRamp = f32x4.mul(lx, ramp), oRamp = f32x4.mul(ox, ramp);
      const before: f32 = 0.5 - ax, down = <f32>first + 0.5 - ay, middle = max(first, nearest(by));
      let left = ax + down * slopeLeft, right = ax + down * slopeRight, leftStep = slopeLeft, rightStep = slopeRight;
      let atRow = f32x4.add(at0, f32x4.mul(gy, f32x4.splat(down)));
      let line = y + <usize>(first * stride);
      for (let row = first; row < last; row++, left += leftStep, right += rightStep, line += stride, atRow = f32x4.add(atRow, gy)) {
        if (row == middle) {
          const edge = bx + (<f32>row + 0.5 - by) * slopeLower;
          if (area > 0) { right = edge; rightStep = slopeLower; } else { left = edge; leftStep = slopeLower; }
        }
        const from = max(0, nearest(left)), to = min(width, nearest(right));
        if (from >= to) continue;
        const start = f32x4.add(atRow, f32x4.mul(gx, f32x4.splat(<f32>from + before)));
        let s = f32x4.add(all0(start), sRamp), t = f32x4.add(all1(start), tRamp);
        let alpha = f32x4.add(all2(start), lRamp), o = f32x4.add(all3(start), oRamp);
        let at = line + <usize>from;
        for (let x = from; x < to; x += 4, at += 4) {
          const si = f32x4.sub(f32x4.add(s, magic), magic), ti = f32x4.sub(f32x4.add(t, magic), magic);
          const place = i32x4.add(f32x4.add(clamped(f32x4.add(f32x4.mul(ti, rows), si), none, last4), magic), base);
          const texel = bilinear(
            <usize>i32x4.extract_lane(place, 0), <usize>i32x4.extract_lane(place, 1),
            <usize>i32x4.extract_lane(place, 2), <usize>i32x4.extract_lane(place, 3),
            textureStride, pairs(f32x4.add(f32x4.sub(s, si), half)), f32x4.add(f32x4.sub(t, ti), half),
          );
          const want = f32x4.add(f32x4.mul(texel, gain1), o);
          mix(at, want, v128.and(alpha, f32x4.gt(f32x4.splat(<f32>(to - x)), ramp)));
          s = f32x4.add(s, sx4);
          t = f32x4.add(t, tx4);
          alpha = f32x4.add(alpha, lx4);
          o = f32x4.add(o, ox4);
        }
      }
    }
    if (firstC >= lastC) continue;
    const c0u = f32x4.splat(load<f32>(a, OFFSET_U)), c1u = f32x4.sub(f32x4.splat(load<f32>(b, OFFSET_U)), c0u), c2u = f32x4.sub(f32x4.splat(load<f32>(c, OFFSET_U)), c0u);
    const c0v = f32x4.splat(load<f32>(a, OFFSET_V)), c1v = f32x4.sub(f32x4.splat(load<f32>(b, OFFSET_V)), c0v), c2v = f32x4.sub(f32x4.splat(load<f32>(c, OFFSET_V)), c0v);
    const ux = f32x4.sub(f32x4.mul(c1u, e1y), f32x4.mul(c2u, e2y)), uy = f32x4.sub(f32x4.mul(c2u, e2x), f32x4.mul(c1u, e1x));
    const vx = f32x4.sub(f32x4.mul(c1v, e1y), f32x4.mul(c2v, e2y)), vy = f32x4.sub(f32x4.mul(c2v, e2x), f32x4.mul(c1v, e1x));
    // A chroma pixel is two of luma, in the picture and in the texture.
    const sx4 = f32x4.mul(sx, four), tx4 = f32x4.mul(tx, four), lx4 = f32x4.mul(lx, eight), ux4 = f32x4.mul(ux, eight), vx4 = f32x4.mul(vx, eight);
    const sRamp = f32x4.sub(f32x4.mul(sx, ramp), half), tRamp = f32x4.sub(f32x4.mul(tx, ramp), half);
    const lRamp = f32x4.mul(lx, ramp2), uRamp = f32x4.add(c0u, f32x4.mul(ux, ramp2)), vRamp = f32x4.add(c0v, f32x4.mul(vx, ramp2));
    const gy2 = f32x4.add(gy, gy), uy2 = f32x4.add(uy, uy), vy2 = f32x4.add(vy, vy);
    const before: f32 = 1 - ax, down: f32 = 2 * <f32>firstC + 1 - ay, down4 = f32x4.splat(down), middle = max(firstC, nearest(by * 0.5));
    let left = (ax + down * slopeLeft) * 0.5, right = (ax + down * slopeRight) * 0.5, leftStep = slopeLeft, rightStep = slopeRight;
    let atRow = f32x4.add(at0, f32x4.mul(gy, down4));
    let uRow = f32x4.add(uRamp, f32x4.mul(uy, down4)), vRow = f32x4.add(vRamp, f32x4.mul(vy, down4));
    let line = <usize>(firstC * cStride);
    for (
      let row = firstC;
      row < lastC;
      row++, left += leftStep, right += rightStep, line += cStride,
      atRow = f32x4.add(atRow, gy2), uRow = f32x4.add(uRow, uy2), vRow = f32x4.add(vRow, vy2)
    ) {
      if (row == middle) {
        const edge = (bx + (2 * <f32>row + 1 - by) * slopeLower) * 0.5;
        if (area > 0) { right = edge; rightStep = slopeLower; } else { left = edge; leftStep = slopeLower; }
      }
      const from = max(0, nearest(left)), to = min(cWidth, nearest(right));
      if (from >= to) continue;
      const across = f32x4.splat(<f32>(from + from) + before);
      const start = f32x4.add(atRow, f32x4.mul(gx, across));
      let ou = f32x4.add(uRow, f32x4.mul(ux, across)), ov = f32x4.add(vRow, f32x4.mul(vx, across));
      let s = f32x4.add(f32x4.mul(all0(start), half), sRamp), t = f32x4.add(f32x4.mul(all1(start), half), tRamp);
      let alpha = f32x4.add(all2(start), lRamp);
      let at = line + <usize>from;
      for (let x = from; x < to; x += 4, at += 4) {
        const si = f32x4.sub(f32x4.add(s, magic), magic), ti = f32x4.sub(f32x4.add(t, magic), magic);
        const place = i32x4.add(f32x4.add(clamped(f32x4.add(f32x4.mul(ti, rowsC), si), none, lastC4), magic), baseC);
        const q0 = <usize>i32x4.extract_lane(place, 0), q1 = <usize>i32x4.extract_lane(place, 1);
        const q2 = <usize>i32x4.extract_lane(place, 2), q3 = <usize>i32x4.extract_lane(place, 3);
        const wantU = f32x4.add(f32x4.mul(bytesAt(q0, q1, q2, q3), gainC), ou);
        const wantV = f32x4.add(f32x4.mul(bytesAt(q0 + apart, q1 + apart, q2 + apart, q3 + apart), gainC), ov);
        const share = v128.and(alpha, f32x4.gt(f32x4.splat(<f32>(to - x)), ramp));
        mix(u + at, wantU, share);
        mix(v + at, wantV, share);
        s = f32x4.add(s, sx4);
        t = f32x4.add(t, tx4);
        alpha = f32x4.add(alpha, lx4);
        ou = f32x4.add(ou, ux4);
        ov = f32x4.add(ov, vx4);
      }
    }
  }
}

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
