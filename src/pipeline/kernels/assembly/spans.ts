/** The rows of a triangle as spans, and what every loop along spans does. */

// @ts-nocheck AssemblyScript, not TypeScript

import { MAGIC, nearest } from './simd-lanes';

/** Bytes of one vertex: x, y, s, t, alpha, what is added to Y, U, V, and what all three are multiplied by. */
export const VERTEX: usize = 36;
export const S: usize = 8, T: usize = 12;
export const ALPHA: usize = 16, OFFSET_U: usize = 24, OFFSET_V: usize = 28, GAIN: usize = 32;

/**
 * Bytes of one span: s, t, alpha and offset of its first pixel, the address of that pixel, the number of pixels,
 * and the pixel's distance from the triangle's upper corner, across and down.
 */
export const SPAN: usize = 32, AT: usize = 16, COUNT: usize = 20, ACROSS: usize = 24, DOWN: usize = 28;
/** Most rows of one triangle that are drawn; a face with a larger triangle does not fit in any frame. */
const MOST_ROWS: i32 = 1024;
export const SPANS: usize = memory.data(32 * 1024, 16);
/** Masks of a group: loaded at MASKS minus four bytes a lane, the first so many of four lanes are set. */
const MASKS: usize = memory.data<i32>([-1, -1, -1, -1, 0, 0, 0, 0]) + 16;
/** The step from group to group, the step to each lane of a group, MAGIC. */
const STEPS: usize = memory.data<f32>([4.0, 0.0, 1.0, 2.0, 3.0, 12582912.0]);

// @ts-ignore
@inline
export function steps4(): v128 { return v128.load32_splat(STEPS); }
// @ts-ignore
@inline
export function ramp4(): v128 { return v128.load(STEPS, 4); }
// @ts-ignore
@inline
export function magic4(): v128 { return v128.load32_splat(STEPS, 20); }

/** A mask of the lanes of a group that lie within a span of which `left` pixels are left. */
// @ts-ignore
@inline
export function within(left: i32): v128 { return v128.load(MASKS - (<usize>min(left, 4) << 2)); }

/** The four bytes at `at` as floats; eight are read. */
// @ts-ignore
@inline
export function bytes4(at: usize): v128 { return f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_u(v128.load8x8_u(at))); }

/**
 * Blends the four bytes at `at` with `want` by `alpha`, rounded and saturated; with alpha 0 they stay as they are.
 */
// @ts-ignore
@inline
export function mix(at: usize, want: v128, alpha: v128, magic: v128): void {
  const now = bytes4(at);
  const mixed = f32x4.add(now, f32x4.mul(f32x4.sub(want, now), alpha));
  const whole = i32x4.sub(f32x4.add(mixed, magic), magic);
  const words = i16x8.narrow_i32x4_s(whole, whole);
  v128.store32_lane(at, i8x16.narrow_i16x8_u(words, words), 0);
}

/** Lane `k` of x in all four. */
// @ts-ignore
@inline
export function all0(x: v128): v128 { return v128.shuffle<f32>(x, x, 0, 0, 0, 0); }
// @ts-ignore
@inline
export function all1(x: v128): v128 { return v128.shuffle<f32>(x, x, 1, 1, 1, 1); }
// @ts-ignore
@inline
export function all2(x: v128): v128 { return v128.shuffle<f32>(x, x, 2, 2, 2, 2); }
// @ts-ignore
@inline
export function all3(x: v128): v128 { return v128.shuffle<f32>(x, x, 3, 3, 3, 3); }

/**
 * Writes the spans of a triangle in a plane to SPANS. Corners are upper, middle, lower, in pixels of the plane.
 * Spans are half open and every edge is walked from its upper end, so two triangles that share an edge round it to
 * the same pixel and blend no pixel twice.
 * @param turn above 0 where the middle corner lies to the right of the long edge.
 * @param at0, gx, gy s, t, alpha and offset at the upper corner, and how they change across and down.
 * @returns the address after the last span.
 */
export function spansOf(
  ax: f32, ay: f32, bx: f32, by: f32, cx: f32, cy: f32, turn: f32, at0: v128, gx: v128, gy: v128,
  plane: usize, stride: i32, width: i32, height: i32,
): usize {
  let span = SPANS, row = max(0, nearest(ay));
  const last = min(min(height, row + MOST_ROWS), nearest(cy));
  if (row >= last) return span;
  const slopeLong = (cx - ax) / (cy - ay);
  const slopeUpper = by > ay ? (bx - ax) / (by - ay) : <f32>0;
  const slopeLower = cy > by ? (cx - bx) / (cy - by) : <f32>0;
  let leftStep = turn > 0 ? slopeLong : slopeUpper, rightStep = turn > 0 ? slopeUpper : slopeLong;
  const before: f32 = 0.5 - ax, middle = max(row, nearest(by));
  let down = <f32>row + 0.5 - ay;
  let left = ax + down * leftStep, right = ax + down * rightStep;
  let atRow = f32x4.add(at0, f32x4.mul(gy, f32x4.splat(down)));
  let line = plane + <usize>(row * stride);
  let end = min(middle, last);
  while (true) {
    for (; row < end; row++) {
      const from = max(0, nearest(left)), to = min(width, nearest(right));
      if (from < to) {
        const across = <f32>from + before;
        v128.store(span, f32x4.add(atRow, f32x4.mul(gx, f32x4.splat(across))));
        store<usize>(span, line + <usize>from, AT);
        store<i32>(span, to - from, COUNT);
        store<f32>(span, across, ACROSS);
        store<f32>(span, down, DOWN);
        span += SPAN;
      }
      left += leftStep;
      right += rightStep;
      down += 1;
      line += <usize>stride;
      atRow = f32x4.add(atRow, gy);
    }
    if (row >= last) return span;
    const edge = bx + (<f32>row + 0.5 - by) * slopeLower;
    if (turn > 0) { right = edge; rightStep = slopeLower; } else { left = edge; leftStep = slopeLower; }
    end = last;
  }
}
