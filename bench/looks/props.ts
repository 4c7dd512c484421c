/** Things that people wear, drawn over frames by a face's landmarks: glasses and a strand of hair. */

import { planesOf } from '../../src/shared/i420.ts';
import type { Frame } from '../../src/shared/types.ts';

/** A thing in front of a face: how much of it each place covers, 0..1, in centimetres from between the eyes. */
export type Prop = (x: number, y: number) => number;

/** Centimetres between the pupils. */
const PUPILS = 6.3;
const [RIGHT_EYE, LEFT_EYE] = [
  [33, 133],
  [362, 263],
] as const;

/** How much of a line with this half width is at a distance from its middle, both in centimetres. */
const line = (distance: number, half: number): number => Math.min(1, Math.max(0, (half - distance) / 0.06 + 0.5));

/** Glasses with nearly rectangular lenses. @param half width of the frame, in centimetres. */
export function glasses(half = 0.22): Prop {
  return (x, y) => {
    const [u, v] = [Math.abs(x) - 3.3, y - 0.35];
    const [dx, dy] = [Math.abs(u) - 1.7, Math.abs(v) - 1.1];
    const lens = Math.hypot(Math.max(dx, 0), Math.max(dy, 0)) + Math.min(0, Math.max(dx, dy)) - 0.8;
    const rim = line(Math.abs(lens), half);
    const bridge = Math.abs(x) < 1 ? line(Math.abs(y + 0.3 + 0.2 * (1 - x * x)), half) : 0;
    const arm = u > 2.4 ? line(Math.abs(y + 0.3), half) : 0;
    return Math.max(rim, bridge, arm);
  };
}

/** A strand of hair from the forehead down the cheek. @param swing centimetres to the side at its end. */
export function strand(swing: number, half = 0.3): Prop {
  return (x, y) => {
    if (y > 6) return 0;
    const t = y + 7;
    return line(Math.abs(x - 2 - 0.1 * t - (swing * t * t) / 170), half * (1 - Math.max(0, t) / 26));
  };
}

/** Draws a prop over a frame, in place. @returns the luma pixels that it covers whole. */
export function drawProp(
  frame: Frame,
  points: Float32Array,
  prop: Prop,
  [luma, chromaU, chromaV]: readonly [number, number, number],
): number[] {
  const { width, height, data } = frame;
  const planes = planesOf(frame);
  const eye = ([a, b]: readonly [number, number]): [number, number] => [
    (points[3 * a]! + points[3 * b]!) / 2,
    (points[3 * a + 1]! + points[3 * b + 1]!) / 2,
  ];
  const [right, left] = [eye(RIGHT_EYE), eye(LEFT_EYE)];
  const [cx, cy] = [(right[0] + left[0]) / 2, (right[1] + left[1]) / 2];
  const apart = Math.hypot(left[0] - right[0], left[1] - right[1]);
  const [ax, ay] = [(left[0] - right[0]) / apart, (left[1] - right[1]) / apart];
  const scale = PUPILS / apart;
  const whole: number[] = [];
  const reach = 9 / scale;
  for (let y = Math.max(0, Math.floor(cy - reach)); y < Math.min(height, cy + reach); y++) {
    for (let x = Math.max(0, Math.floor(cx - reach)); x < Math.min(width, cx + reach); x++) {
      const [px, py] = [(x - cx) * scale, (y - cy) * scale];
      const cover = prop(px * ax + py * ay, py * ax - px * ay);
      if (cover === 0) continue;
      const at = y * width + x;
      // A little texture of its own.
      data[at] = Math.round(data[at]! + cover * (luma + ((x + y) % 4) - data[at]!));
      if (cover === 1) whole.push(at);
      if (x % 2 !== 0 || y % 2 !== 0) continue;
      const c = (y >> 1) * planes.chromaWidth + (x >> 1);
      data[planes.u + c] = Math.round(data[planes.u + c]! + cover * (chromaU - data[planes.u + c]!));
      data[planes.v + c] = Math.round(data[planes.v + c]! + cover * (chromaV - data[planes.v + c]!));
    }
  }
  return whole;
}
