import { beforeAll, describe, expect, test } from 'vitest';
import { randomOf } from '../../../fuzz/mutate/random.ts';
import type { Frame } from '../../../src/shared/types.ts';
import { messageLayout } from '../../../src/watermark/chips.ts';
import { LEAST_SCORE, MarkDetector, type MarkFinding } from '../../../src/watermark/mark-detector.ts';
import { layoutWords } from '../../../src/watermark/mark-key.ts';
import type { GrayPicture } from '../../../src/watermark/residual.ts';
import { grayOf, sceneOf, TEST_WORD, testLayout, testWatermark } from '../../support/watermark.ts';

const [WIDTH, HEIGHT] = [960, 540];

function detect(pictures: readonly GrayPicture[], layout = testLayout): MarkFinding {
  const detector = new MarkDetector(layout);
  for (const picture of pictures) detector.add(picture);
  return detector.result();
}

/** A part of a picture, at another scale (bilinear). */
function cut(
  { width, values }: GrayPicture,
  part: { x: number; y: number; width: number; height: number },
  scale: number,
): GrayPicture {
  const [w, h] = [Math.round(part.width * scale), Math.round(part.height * scale)];
  const out = new Float32Array(w * h);
  for (let i = 0; i < out.length; i++) {
    const x = part.x + Math.min(part.width - 1.01, ((i % w) + 0.5) / scale - 0.5);
    const y = part.y + Math.min(part.height - 1.01, (Math.floor(i / w) + 0.5) / scale - 0.5);
    const [a, b] = [Math.max(0, Math.floor(x)), Math.max(0, Math.floor(y))];
    const [f, g] = [Math.max(0, x - a), Math.max(0, y - b)];
    const at = (dx: number, dy: number): number => values[(b + dy) * width + a + dx]!;
    out[i] = (at(0, 0) * (1 - f) + at(1, 0) * f) * (1 - g) + (at(0, 1) * (1 - f) + at(1, 1) * f) * g;
  }
  return { width: w, height: h, values: out };
}

const whole = { x: 0, y: 0, width: WIDTH, height: HEIGHT };
let marked: Frame;
beforeAll(async () => {
  marked = sceneOf(WIDTH, HEIGHT, 1);
  (await testWatermark()).mark(marked);
});

describe('mark detector', () => {
  test('finds the mark and its message in one picture', () => {
    const found = detect([grayOf(marked)]);
    expect(found).toMatchObject({ isMarked: true, message: TEST_WORD, isMirrored: false, pictures: 1 });
    expect(found.cell).toBeCloseTo(12, 0);
  });

  test.each([
    ['half the size', whole, 0.5],
    ['a third larger', whole, 1.33],
    ['a tenth cut off on each axis', { x: 61, y: 23, width: 864, height: 486 }, 1],
    ['cut and scaled', { x: 40, y: 50, width: 864, height: 486 }, 0.7],
  ])('finds both at %s', (_what, part, scale) => {
    expect(detect([cut(grayOf(marked), part, scale)])).toMatchObject({ isMarked: true, message: TEST_WORD });
  });

  test('finds both in the mirror image', () => {
    const { width, height, values } = grayOf(marked);
    const mirrored = values.map((_, i) => values[i - (i % width) + width - 1 - (i % width)]!);
    const found = detect([{ width, height, values: mirrored }]);
    expect(found).toMatchObject({ isMarked: true, message: TEST_WORD, isMirrored: true });
  });

  test('finds the mark without the key, but not the message', () => {
    const other = messageLayout(layoutWords('another'));
    expect(detect([grayOf(marked)], other)).toMatchObject({ isMarked: true, message: null });
    const detector = new MarkDetector();
    detector.add(grayOf(marked));
    expect(detector.result()).toMatchObject({ isMarked: true, message: null });
  });

  test('scores higher the more pictures of a noisy scene it has', async () => {
    const watermark = await testWatermark();
    const random = randomOf(9);
    // A clean picture tells all by itself.
    const pictures = [5, 6, 7, 8].map((seed) => {
      const frame = sceneOf(WIDTH, HEIGHT, seed);
      watermark.mark(frame);
      const gray = grayOf(frame);
      return { ...gray, values: gray.values.map((value) => value + 80 * (random() - 0.5)) };
    });
    expect(detect(pictures).score).toBeGreaterThan(detect(pictures.slice(0, 1)).score + 1);
  });

  test.each([11, 12, 13])('finds nothing in unmarked scene %i', (seed) => {
    const { isMarked, score, message } = detect([grayOf(sceneOf(WIDTH, HEIGHT, seed))]);
    expect({ isMarked, message }).toEqual({ isMarked: false, message: null });
    expect(score).toBeLessThan(LEAST_SCORE - 1);
  });

  test('finds nothing in a picture of one colour, and in none', () => {
    const values = new Float32Array(640 * 360).fill(90);
    expect(detect([{ width: 640, height: 360, values }])).toMatchObject({ isMarked: false, score: 0 });
    expect(new MarkDetector().result()).toMatchObject({ isMarked: false, pictures: 0 });
  });

  test('finds nothing in a picture smaller than its surroundings', () => {
    expect(detect([{ width: 3, height: 2, values: new Float32Array(6).fill(9) }]).isMarked).toBe(false);
  });

  test('refuses pictures of two sizes', () => {
    const detector = new MarkDetector();
    detector.add({ width: 64, height: 64, values: new Float32Array(64 * 64) });
    expect(() => detector.add({ width: 64, height: 32, values: new Float32Array(64 * 32) })).toThrow(RangeError);
  });
});
