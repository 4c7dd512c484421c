import { expect, test } from 'vitest';
import { FaceRepeats } from '../../../../src/pipeline/face/repeats.ts';
import type { Frame } from '../../../../src/shared/types.ts';

const [WIDTH, HEIGHT] = [160, 120];
const FACE = { x: 40, y: 20, width: 80, height: 80 };

/** A frame with a luma of its own at each pixel. */
function frameOf(luma: (x: number, y: number) => number): Frame {
  const data = new Uint8Array((WIDTH * HEIGHT * 3) / 2).fill(128);
  for (let p = 0; p < WIDTH * HEIGHT; p++) data[p] = luma(p % WIDTH, Math.floor(p / WIDTH));
  return { width: WIDTH, height: HEIGHT, data, receivedAtMs: 0 } as Frame;
}
const face = (x: number, y: number): number => 100 + ((x * 7 + y * 13) % 60);

function remembered(): FaceRepeats {
  const repeats = new FaceRepeats();
  repeats.remember(frameOf(face), FACE);
  return repeats;
}

test('a face that was never sampled is no repeat', () => {
  expect(new FaceRepeats().isRepeat(frameOf(face))).toBe(false);
});

test('the same picture, and one that an encoder changed a little, is a repeat', () => {
  expect(remembered().isRepeat(frameOf(face))).toBe(true);
  expect(remembered().isRepeat(frameOf((x, y) => face(x, y) + ((x + y) % 16 === 0 ? 1 : 0)))).toBe(true);
});

test('what happens beside the face does not matter', () => {
  expect(remembered().isRepeat(frameOf((x, y) => (x < 30 ? 255 : face(x, y))))).toBe(true);
});

test('a blink, noise of a camera, a moved face and another size of frame are no repeats', () => {
  const blink = frameOf((x, y) => (Math.hypot(x - 65, y - 45) < 5 ? face(x, y) - 40 : face(x, y)));
  expect(remembered().isRepeat(blink)).toBe(false);
  expect(remembered().isRepeat(frameOf((x, y) => face(x, y) + ((x + y) % 2 === 0 ? 1 : -1)))).toBe(false);
  expect(remembered().isRepeat(frameOf((x, y) => face(x + 1, y)))).toBe(false);
  expect(remembered().isRepeat({ ...frameOf(face), width: HEIGHT, height: WIDTH })).toBe(false);
});

test('slow change adds up: frames are compared with the last new picture', () => {
  const repeats = remembered();
  const brighter = (steps: number): Frame => frameOf((x, y) => face(x, y) + steps * ((x + 3 * y) % 10 === 0 ? 1 : 0));
  expect(repeats.isRepeat(brighter(1))).toBe(true);
  expect(repeats.isRepeat(brighter(2))).toBe(false);
});

test('a face that reaches beyond the frame is sampled at its edge', () => {
  const repeats = new FaceRepeats();
  repeats.remember(frameOf(face), { x: -40, y: -40, width: 300, height: 300 });
  expect(repeats.isRepeat(frameOf(face))).toBe(true);
});
