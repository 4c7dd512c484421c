import { withoutPreviews, xmpWithoutPreviews } from '../../../src/commands/render/picture-previews.ts';
import { mutatedBytes } from '../../mutate/mutate-bytes.ts';
import { holds, type Target } from '../../run/target.ts';

const JPEG = Buffer.from('ffd8ffe000104a46494600010100000100010000ffd9', 'hex');
const PNG_HEAD = Buffer.from('89504e470d0a1a0a', 'hex');

/** EXIF with a directory of one entry, a second directory, notes of a maker, and pictures in both. */
function exif(order: 'II' | 'MM'): Buffer {
  const head = Buffer.alloc(26);
  head.write(`${order}*\0`, 'latin1');
  const u16 = (value: number, at: number) =>
    order === 'II' ? head.writeUInt16LE(value, at) : head.writeUInt16BE(value, at);
  const u32 = (value: number, at: number) =>
    order === 'II' ? head.writeUInt32LE(value, at) : head.writeUInt32BE(value, at);
  u16(42, 2);
  u32(8, 4);
  u16(1, 8);
  u32(26, 22);
  return Buffer.concat([head, Buffer.from('notes'), JPEG, Buffer.from('more'), JPEG]);
}

/** EXIF in a JPEG, in a PNG's chunk, and by itself, and XMP. */
function samples(): Buffer[] {
  const [little, big] = [exif('II'), exif('MM')];
  const chunk = Buffer.alloc(8);
  chunk.writeUInt32BE(little.length);
  chunk.write('eXIf', 4, 'latin1');
  const xmp = `<a:b>${JPEG.toString('base64')}&#xA;</a:b><c d="iVBORw0KGgo${'A'.repeat(40)}"/>`;
  return [
    Buffer.concat([Buffer.from('ffd8ffe1', 'hex'), Buffer.from('Exif\0\0'), big]),
    Buffer.concat([PNG_HEAD, chunk, little, Buffer.alloc(4)]),
    little,
    Buffer.from(xmp),
  ];
}

/** Previews that `render` takes out of pictures: where EXIF begins in the file is what a decoder would say. */
export const previewsTarget: Target = {
  name: 'previews',
  reads: 'withoutPreviews, xmpWithoutPreviews: EXIF and XMP of pictures',
  share: 0.5,
  growthBytes: 16 * 2 ** 20,
  async open() {
    const pictures = samples();
    return {
      make: (random) => mutatedBytes(pictures, random),
      /** Taken where previews were found and taken out. */
      feed(input) {
        const starts = [input.indexOf('II'), input.indexOf('MM'), input.indexOf('Exif\0\0'), 0];
        let isTaken = false;
        for (const start of starts.filter((at) => at >= 0)) {
          const clean = withoutPreviews(input, input.subarray(start));
          holds(clean === null || clean.length === input.length, 'a file of another length');
          if (clean !== null && clean !== input) isTaken = true;
        }
        const text = input.toString('utf8');
        holds(xmpWithoutPreviews(text).length <= text.length, 'a packet that grew');
        return isTaken;
      },
      close: async () => undefined,
    };
  },
};
