import { expect, test } from 'vitest';
import { FaceFilter } from '../../../../src/pipeline/face/smooth.ts';
import { ALL_POINTS } from '../../../../src/pipeline/face/topology.ts';

const shape = Float32Array.from({ length: ALL_POINTS * 3 }, (_, i) => 100 + 80 * Math.sin(i * 12.9898) + (i % 3) * 5);
const smoothing = { minCutoffHz: 2, beta: 8 };

/** Root mean square of the step from frame to frame, over the last half of the frames. */
function tremble(frames: Float32Array[]): number {
  const late = frames.slice(frames.length / 2);
  let [sum, n] = [0, 0];
  for (let f = 1; f < late.length; f++)
    for (let i = 0; i < late[f]!.length; i++, n++) sum += (late[f]![i]! - late[f - 1]![i]!) ** 2;
  return Math.sqrt(sum / n);
}

test('a face at rest trembles at most half as much as its landmarks', () => {
  const filter = new FaceFilter(smoothing);
  const [raw, out]: [Float32Array[], Float32Array[]] = [[], []];
  for (let f = 0; f < 90; f++) {
    const noisy = shape.map((value, i) => value + 0.6 * Math.sin(f * 78.233 + i * 3.7));
    raw.push(noisy.slice());
    filter.next(noisy, f * 33);
    out.push(noisy);
  }
  expect(tremble(out)).toBeLessThan(0.5 * tremble(raw));
});

test('a head that moves fast does not lag by more than a few pixels', () => {
  const filter = new FaceFilter(smoothing);
  let worst = 0;
  for (let f = 0; f < 60; f++) {
    // 300 pixels a second, for a face of some 200.
    const moved = shape.map((value, i) => value + (i % 3 === 0 ? f * 10 : 0));
    const wanted = moved.slice();
    filter.next(moved, f * 33);
    if (f > 5) for (let i = 0; i < moved.length; i += 3) worst = Math.max(worst, Math.abs(moved[i]! - wanted[i]!));
  }
  expect(worst).toBeLessThan(4);
});

test('a face at rest does not jump where the picture becomes larger', () => {
  const filter = new FaceFilter(smoothing);
  for (let f = 0; f < 30; f++) filter.next(shape.slice(), f * 33);
  filter.scale(2);
  const larger = shape.map((value) => 2 * value);
  const next = larger.slice();
  filter.next(next, 30 * 33);
  expect(Math.max(...next.map((value, i) => Math.abs(value - larger[i]!)))).toBeLessThan(0.1);
});
