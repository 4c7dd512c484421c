/** Measures of how a swap looks: the swapped frames against the frames that they were made from. */

import { frameToRgb } from '../../src/faces/portrait.ts';
import { OVAL } from '../../src/pipeline/face/topology.ts';
import type { Frame } from '../../src/shared/types.ts';

/** A frame before and after the swap. */
export interface Pair {
  before: Frame;
  after: Frame;
  /** x, y, z of at least 468 points of the face before, in pixels. */
  points: Float32Array;
}

/** What a clip is measured by; a ratio of 1 and a shift of 0 leave the picture as natural as it was. */
export interface LookFigures {
  /** How unevenly brightness changed over the skin: standard deviation in CIELAB L. */
  patchiness: number;
  /** How far the skin's colour moved: median in CIELAB a and b. */
  tintShift: number;
  /** How unevenly colour changed over the skin: standard deviation in CIELAB a and b. */
  tintPatchiness: number;
  /** Fine detail of the skin, after over before. */
  detail: number;
  /** Change from frame to frame inside the face, after over before. */
  flicker: number;
  /** Gradient along the face's rim, after over before. */
  seam: number;
  /** Mean absolute change of luma inside the face, 0..255: how much of it was drawn over. */
  change: number;
}

// biome-ignore format: a table
/** Points on plain skin: forehead, temples, cheeks, nose, jaw, chin. */
const SKIN = [9, 8, 151, 67, 297, 109, 338, 69, 299, 108, 337, 54, 284, 50, 280, 101, 330, 36, 266, 205, 425, 187, 411, 117, 346, 123, 352, 147, 376, 213, 433, 6, 197, 195, 5, 4, 164, 216, 436, 214, 434, 210, 430, 200, 199];
/** Points in whose surroundings detail is measured. */
const DETAIL = [50, 280, 151, 205, 425];
/** Width of the face: its points furthest to the right and left. */
const [RIGHT, LEFT] = [234, 454];

/** Measures a clip. @param pairs in the order of time. */
export function measureLooks(pairs: readonly Pair[]): LookFigures {
  const light = pairs.map(lightOf);
  const flicker = pairs.slice(1).map((pair, k) => flickerOf(pairs[k]!, pair));
  return {
    patchiness: mean(light.map(({ patchiness }) => patchiness)),
    tintShift: mean(light.map(({ tintShift }) => tintShift)),
    tintPatchiness: mean(light.map(({ tintPatchiness }) => tintPatchiness)),
    detail: mean(pairs.map(detailOf)),
    flicker: median(flicker),
    seam: median(pairs.map(seamOf)),
    change: mean(pairs.map(changeOf)),
  };
}

function lightOf({ before, after, points }: Pair): Pick<LookFigures, 'patchiness' | 'tintShift' | 'tintPatchiness'> {
  const radius = Math.max(2, 0.05 * widthOf(points));
  const [b, a] = [frameToRgb(before), frameToRgb(after)];
  const shifts = SKIN.map((k) => {
    const at = [points[3 * k]!, points[3 * k + 1]!] as const;
    const [p, q] = [labAbout(b, before, at, radius), labAbout(a, after, at, radius)];
    return [q[0] - p[0], q[1] - p[1], q[2] - p[2]] as const;
  });
  const of = (channel: 0 | 1 | 2): number[] => shifts.map((shift) => shift[channel]);
  return {
    patchiness: spread(of(0)),
    tintShift: Math.hypot(median(of(1)), median(of(2))),
    tintPatchiness: Math.hypot(spread(of(1)), spread(of(2))),
  };
}

function detailOf({ before, after, points }: Pair): number {
  const radius = Math.max(2, 0.05 * widthOf(points));
  const of = (frame: Frame): number =>
    mean(
      DETAIL.map((k) => {
        let [sum, count] = [0, 0];
        forEachNear(frame, [points[3 * k]!, points[3 * k + 1]!], radius, (p) => {
          const { data, width } = frame;
          sum += Math.abs(4 * data[p]! - data[p - 1]! - data[p + 1]! - data[p - width]! - data[p + width]!);
          count++;
        });
        return count === 0 ? 0 : sum / count;
      }),
    );
  return of(after) / Math.max(0.5, of(before));
}

function flickerOf(last: Pair, now: Pair): number {
  const inside = ovalTest(last.points, 0.95);
  let [before, after] = [0, 0];
  forEachInBox(last, (x, y, p) => {
    if (!inside(x, y)) return;
    before += Math.abs(now.before.data[p]! - last.before.data[p]!);
    after += Math.abs(now.after.data[p]! - last.after.data[p]!);
  });
  return after / Math.max(1, before);
}

function changeOf(pair: Pair): number {
  const inside = ovalTest(pair.points, 0.9);
  let [sum, count] = [0, 0];
  forEachInBox(pair, (x, y, p) => {
    if (!inside(x, y)) return;
    sum += Math.abs(pair.after.data[p]! - pair.before.data[p]!);
    count++;
  });
  return sum / Math.max(1, count);
}

function seamOf(pair: Pair): number {
  const [outer, inner] = [ovalTest(pair.points, 1.08), ovalTest(pair.points, 0.92)];
  let [before, after] = [0, 0];
  forEachInBox(pair, (x, y, p) => {
    if (!outer(x, y) || inner(x, y)) return;
    const gradient = ({ data, width }: Frame): number =>
      Math.hypot(data[p + 1]! - data[p - 1]!, data[p + width]! - data[p - width]!);
    before += gradient(pair.before);
    after += gradient(pair.after);
  });
  return after / Math.max(1, before);
}

const widthOf = (points: Float32Array): number =>
  Math.hypot(points[3 * RIGHT]! - points[3 * LEFT]!, points[3 * RIGHT + 1]! - points[3 * LEFT + 1]!);

/** Calls back with the luma index of each pixel of a square that has neighbours on all sides. */
function forEachNear(
  frame: Frame,
  [x, y]: readonly [number, number],
  radius: number,
  visit: (p: number) => void,
): void {
  const { width, height } = frame;
  for (let v = Math.max(1, Math.floor(y - radius)); v <= Math.min(height - 2, y + radius); v++)
    for (let u = Math.max(1, Math.floor(x - radius)); u <= Math.min(width - 2, x + radius); u++) visit(v * width + u);
}

/** Calls back with each pixel of the box about a face. */
function forEachInBox({ before, points }: Pair, visit: (x: number, y: number, p: number) => void): void {
  const { width, height } = before;
  const xs = OVAL.map((k) => points[3 * k]!);
  const ys = OVAL.map((k) => points[3 * k + 1]!);
  const reach = 0.1 * widthOf(points);
  for (
    let y = Math.max(1, Math.floor(Math.min(...ys) - reach));
    y <= Math.min(height - 2, Math.max(...ys) + reach);
    y++
  )
    for (
      let x = Math.max(1, Math.floor(Math.min(...xs) - reach));
      x <= Math.min(width - 2, Math.max(...xs) + reach);
      x++
    )
      visit(x, y, y * width + x);
}

/** Tells whether a place lies inside the face's oval, grown about its middle. */
function ovalTest(points: Float32Array, grow: number): (x: number, y: number) => boolean {
  const at = (k: number): readonly [number, number] => [points[3 * k]!, points[3 * k + 1]!];
  const [cx, cy] = [mean(OVAL.map((k) => at(k)[0])), mean(OVAL.map((k) => at(k)[1]))];
  const ring = OVAL.map((k) => [cx + (at(k)[0] - cx) * grow, cy + (at(k)[1] - cy) * grow] as const);
  return (x, y) => {
    let inside = false;
    for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
      const [[xi, yi], [xj, yj]] = [ring[i]!, ring[j]!];
      if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
    }
    return inside;
  };
}

/** CIELAB (D65) of the mean sRGB in a disc. */
function labAbout(rgb: Uint8Array, { width, height }: Frame, [x, y]: readonly [number, number], radius: number) {
  const sum = [0, 0, 0];
  let count = 0;
  for (let v = Math.max(0, Math.floor(y - radius)); v <= Math.min(height - 1, y + radius); v++) {
    for (let u = Math.max(0, Math.floor(x - radius)); u <= Math.min(width - 1, x + radius); u++) {
      if ((u - x) ** 2 + (v - y) ** 2 > radius * radius) continue;
      for (let c = 0; c < 3; c++) sum[c]! += rgb[3 * (v * width + u) + c]!;
      count++;
    }
  }
  const [r, g, b] = sum.map((total) => {
    const t = total / Math.max(1, count) / 255;
    return t <= 0.04045 ? t / 12.92 : ((t + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  const [fx, fy, fz] = [
    (0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047,
    0.2126729 * r + 0.7151522 * g + 0.072175 * b,
    (0.0193339 * r + 0.119192 * g + 0.9503041 * b) / 1.08883,
  ].map((t) => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116)) as [number, number, number];
  return [116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)] as const;
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

/** Standard deviation without the outermost tenth at either end: one strand of hair tells nothing. */
function spread(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const cut = Math.floor(sorted.length * 0.1);
  const middle = sorted.slice(cut, sorted.length - cut);
  const centre = mean(middle);
  return Math.sqrt(mean(middle.map((value) => (value - centre) ** 2)));
}
