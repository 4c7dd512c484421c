import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { readY4m } from '../../../src/media/clip-reader.ts';

const source = { finished: async () => undefined, close: () => undefined };
const open = (header: string) => readY4m(Readable.from([Buffer.from(`YUV4MPEG2 ${header}\n`)]), 'clip.y4m', source);

test.each([
  ['F25:1 A4:3', { numerator: 25, denominator: 1 }, '4:3'],
  ['', { numerator: 30, denominator: 1 }, '0:0'],
  ['F0:1', { numerator: 30, denominator: 1 }, '0:0'],
  ['F30:0', { numerator: 30, denominator: 1 }, '0:0'],
  ['F1e308:1', { numerator: 30, denominator: 1 }, '0:0'],
  ['F29.97:1', { numerator: 30, denominator: 1 }, '0:0'],
  ['F30', { numerator: 30, denominator: 1 }, '0:0'],
  // What stands here becomes part of a header, and of a filter of ffmpeg.
  ['A1:1,movie=x', { numerator: 30, denominator: 1 }, '0:0'],
  ['A:', { numerator: 30, denominator: 1 }, '0:0'],
])('a y4m header says what its fields say where they can be: %s', async (fields, rate, pixelAspect) => {
  const clip = await open(`W4 H2 ${fields}`);
  expect(clip).toMatchObject({ width: 4, height: 2, rate, pixelAspect, fps: rate.numerator / rate.denominator });
});

test.each(['W1.5 H2', 'W0x10', 'W4 H0', 'W4 H-2', 'W4 H1e400', 'H2'])('a size of %s is refused', async (fields) => {
  await expect(open(fields)).rejects.toMatchObject({ code: 'bad_clip' });
});
