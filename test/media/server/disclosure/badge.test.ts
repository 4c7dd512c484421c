import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { frameToRgb } from '../../../../src/faces/portrait.ts';
import { Badge } from '../../../../src/server/disclosure/badge.ts';
import { CORNERS, type Frame } from '../../../../src/shared/types.ts';
import { evenFrame, hasMark } from '../../../support/mark.ts';

/** The box of the luma that was changed: left, top, right, bottom. */
function changed({ width, height, data }: Frame, before: Frame): [number, number, number, number] {
  let [x0, y0, x1, y1] = [width, height, -1, -1];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (data[y * width + x] === before.data[y * width + x]) continue;
      [x0, y0, x1, y1] = [Math.min(x0, x), Math.min(y0, y), Math.max(x1, x), Math.max(y1, y)];
    }
  }
  return [x0, y0, x1, y1];
}

describe('the mark', () => {
  test.each(CORNERS)('lies %s, and its size follows the shorter side of the picture', async (corner) => {
    const badge = await Badge.render(corner);
    const heights = [
      [1920, 1080],
      [1280, 720],
      [640, 480],
      [480, 640],
      [321, 241],
    ].map(([width, height]) => {
      const frame = evenFrame(width!, height!);
      badge.draw(frame);
      const [x0, y0, x1, y1] = changed(frame, evenFrame(width!, height!));
      expect((x0 + x1) / 2 / width! < 0.5).toBe(corner.endsWith('left'));
      expect((y0 + y1) / 2 / height! < 0.5).toBe(corner.startsWith('top'));
      return y1 - y0 + 1;
    });
    expect(heights).toEqual([82, 54, 36, 36, 26]);
  });

  test.each([
    ['white', 235],
    ['grey', 128],
    ['black', 16],
  ])('has letters that stand out from its ground on %s by a contrast of 7 or more (WCAG)', async (_, luma) => {
    const frame = evenFrame(640, 360, luma);
    (await Badge.render('top-right')).draw(frame);
    const [x0, y0, x1, y1] = changed(frame, evenFrame(640, 360, luma));
    const values: number[] = [];
    for (let y = y0 + 6; y < y1 - 5; y++) values.push(...frame.data.subarray(y * 640 + x0 + 12, y * 640 + x1 - 12));
    // The letters are a seventh of the pill or so; the ground is its median.
    values.sort((a, b) => a - b);
    const relative = (at: number): number => Math.max(0, (values[Math.floor(at * values.length)]! - 16) / 219) ** 2.2;
    expect((relative(0.97) + 0.05) / (relative(0.5) + 0.05)).toBeGreaterThan(7);
  });

  test.each([
    [2, 2],
    [16, 16],
    [17, 9],
    [64, 3000],
  ])('fits into %i x %i', async (width, height) => {
    const frame = evenFrame(width, height);
    const { length } = frame.data;
    (await Badge.render('bottom-right')).draw(frame);
    expect(frame.data.length).toBe(length);
  });

  test('is the same in pictures of sizes that take turns', async () => {
    const badge = await Badge.render('top-right');
    const drawn = ([width, height]: readonly [number, number]): string => {
      const frame = evenFrame(width, height);
      badge.draw(frame);
      return Buffer.from(frame.data).toString('base64');
    };
    const sizes = Array.from({ length: 20 }, (_, n) => [640 + 2 * n, 480] as const);
    expect([...sizes, ...sizes].map(drawn)).toEqual([...sizes.map(drawn), ...sizes.map(drawn)]);
  });

  test('is the same as a layer over a picture, and shows where that is transparent', async () => {
    const badge = await Badge.render('top-right');
    const frame = evenFrame(640, 480);
    badge.draw(frame);
    const { data, left, top, ...size } = badge.overlay(640, 480);
    const even = { create: { width: 640, height: 480, channels: 3, background: '#828282' } } as const;
    const layered = await sharp(even)
      .composite([{ input: data, raw: { ...size, channels: 4 }, left, top }])
      .removeAlpha()
      .raw()
      .toBuffer();
    const rgb = frameToRgb(frame);
    const most = layered.reduce((worst, value, at) => Math.max(worst, Math.abs(value - rgb[at]!)), 0);
    // Opacities of eight bits, and the limited range, are rounded.
    expect(most).toBeLessThanOrEqual(5);
    const alpha = new Uint8Array(640 * 480);
    badge.drawOpacity(alpha, 640, 480);
    expect(alpha[(top + size.height / 2) * 640 + left + size.width / 2]).toBeGreaterThan(170);
    expect(alpha[300 * 640 + 100]).toBe(0);
    expect(hasMark(frame)).toBe(true);
  });
});
