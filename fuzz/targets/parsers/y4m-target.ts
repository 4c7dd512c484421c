import { Readable } from 'node:stream';
import { readY4m } from '../../../src/media/clip-reader.ts';
import { mutatedBytes } from '../../mutate/mutate-bytes.ts';
import { mutatedText } from '../../mutate/mutate-text.ts';
import type { Random } from '../../mutate/random.ts';
import { holds, type Target } from '../../run/target.ts';

const HEADERS = [
  'YUV4MPEG2 W16 H12 F30000:1001 Ip A1:1 C420jpeg XYSCSS=420JPEG XCOLORRANGE=FULL',
  'YUV4MPEG2 W16 H12 F25:1 It A0:0 C420mpeg2',
  'YUV4MPEG2 W15 H11 F30:1',
];
const TERMS = [
  'W',
  'H',
  'F',
  'F0:0',
  'F1:0',
  'A1:1,x',
  'C420p10',
  'C422',
  'Cmono',
  'XCOLORRANGE=FULL',
  'FRAME',
  'W1e4',
  'W0x10',
  'H1.5',
];
const frame = Buffer.concat([Buffer.from('FRAME Ixyz\n'), Buffer.alloc(16 * 12 * 1.5, 90)]);
const samples = HEADERS.map((header) => Buffer.concat([Buffer.from(`${header}\n`), frame, frame]));

function made(random: Random): Buffer {
  if (random.chance(0.5)) return mutatedBytes(samples, random);
  const header = mutatedText(HEADERS, random, TERMS);
  return Buffer.concat([Buffer.from(`${header}\n`, 'latin1'), frame, mutatedBytes([frame], random)]);
}

/** y4m, from files and from pipes. */
export const y4mTarget: Target = {
  name: 'y4m',
  reads: 'readY4m',
  share: 1,
  growthBytes: 24 * 2 ** 20,
  open: async () => ({
    make: made,
    async feed(input) {
      const half = input.length >> 1;
      const stream = Readable.from([input.subarray(0, half), input.subarray(half)]);
      const source = { finished: async () => undefined, close: () => void stream.destroy() };
      const { width, height, fps, rate, pixelAspect = '1:1', ...clip } = await readY4m(stream, 'clip.y4m', source);
      holds(
        [width, height].every((side) => Number.isInteger(side) && side > 0),
        `a size: ${width} x ${height}`,
      );
      holds(Number.isFinite(fps) && fps > 0, `frames a second: ${fps}`);
      holds(
        [rate.numerator, rate.denominator].every((part) => Number.isSafeInteger(part) && part > 0),
        `a rate: ${rate.numerator}:${rate.denominator}`,
      );
      holds(/^\d+:\d+$/.test(pixelAspect), `the aspect of pixels: ${pixelAspect}`);
      for await (const { data } of clip) holds(data.length >= width * height, `a frame of ${data.length} bytes`);
      return true;
    },
    close: async () => undefined,
  }),
};
