/** What the kernels share: four pixels in a SIMD register, each a lane of floats. */

// @ts-nocheck AssemblyScript, not TypeScript

/**
 * Adding 1.5 · 2^23 to a float between -2^22 and 2^22 rounds it to the nearest integer, which then stands in the
 * low bits; subtracting it again leaves the integer as a float. Far cheaper than the SIMD conversions, which handle
 * NaN and overflow. An address takes the bits as they are, from a base that is MAGIC_BITS lower.
 */
export const MAGIC: f32 = 12582912.0;
export const MAGIC_BITS: i32 = 0x4b400000;
/** One, in the fixed point of a bilinear weight. */
export const ONE: f32 = 16384.0;

/** ONE, MAGIC + ONE / 2, MAGIC + ONE, 0.5. */
const WEIGHTS: usize = memory.data<f32>([16384.0, 12591104.0, 12599296.0, 0.5]);
const HELD: usize = memory.data(16, 16);

/**
 * Forces a loop-invariant value to be computed here. V8 computes such values where they are used, inside the loop,
 * unless the loop runs at least once; splats, factors and conversions were a third of the crop's time. It does not
 * move a value that is read from memory, so the value goes through memory once.
 */
// @ts-ignore
@inline
export function hold(x: v128): v128 {
  v128.store(HELD, x);
  return v128.load(HELD);
}

// @ts-ignore
@inline
export function nearest(x: f32): i32 { return reinterpret<i32>(x + MAGIC) - MAGIC_BITS; }

// @ts-ignore
@inline
export function clamped(x: v128, least: v128, most: v128): v128 { return f32x4.pmin(most, f32x4.pmax(least, x)); }

/**
 * Bilinear values, times ONE, of the bytes at four addresses and their right and lower neighbours.
 * @param x, y of the place in pixels from the middle of the four bytes, -0.5..0.5.
 */
// @ts-ignore
@inline
export function bilinear(at: v128, stride: usize, x: v128, y: v128): v128 {
  const p0 = <usize>i32x4.extract_lane(at, 0), p1 = <usize>i32x4.extract_lane(at, 1);
  const p2 = <usize>i32x4.extract_lane(at, 2), p3 = <usize>i32x4.extract_lane(at, 3);
  let q = i32x4.splat(0);
  q = v128.load16_lane(p0, q, 0);
  q = v128.load16_lane(p1, q, 1);
  q = v128.load16_lane(p2, q, 2);
  q = v128.load16_lane(p3, q, 3);
  q = v128.load16_lane(p0 + stride, q, 4);
  q = v128.load16_lane(p1 + stride, q, 5);
  q = v128.load16_lane(p2 + stride, q, 6);
  q = v128.load16_lane(p3 + stride, q, 7);
  // The weights of the left and of the right pixel, 16 bits each; MAGIC's upper bits are shifted out.
  const right = f32x4.add(f32x4.mul(x, v128.load32_splat(WEIGHTS)), v128.load32_splat(WEIGHTS, 4));
  const weights = i32x4.sub(i32x4.shl(right, 16), i32x4.sub(right, v128.load32_splat(WEIGHTS, 8)));
  const upper = f32x4.convert_i32x4_s(i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_u(q), weights));
  const lower = f32x4.convert_i32x4_s(i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_u(q), weights));
  return f32x4.add(upper, f32x4.mul(f32x4.sub(lower, upper), f32x4.add(y, v128.load32_splat(WEIGHTS, 12))));
}

/** The bytes at four addresses as floats. */
// @ts-ignore
@inline
export function bytesAt(p0: usize, p1: usize, p2: usize, p3: usize): v128 {
  let q = i32x4.splat(0);
  q = v128.load8_lane(p0, q, 0);
  q = v128.load8_lane(p1, q, 4);
  q = v128.load8_lane(p2, q, 8);
  q = v128.load8_lane(p3, q, 12);
  return f32x4.convert_i32x4_s(q);
}
