import { expect, test } from 'vitest';
import { withoutPreviews, xmpWithoutPreviews } from '../../../../src/commands/render/picture-previews.ts';

const JPEG = Buffer.from('ffd8ffe000104a464946ffd9', 'hex');
/** A first directory without entries, and where the next one is. */
const tiff = (next: number, ...more: Buffer[]): Buffer =>
  Buffer.concat([Buffer.from([0x49, 0x49, 42, 0, 8, 0, 0, 0, 0, 0, next, 0, 0, 0]), ...more]);

test('the second directory and every JPEG go, and nothing else of the file changes', () => {
  const notes = Buffer.from('notes');
  const exif = tiff(14, notes, JPEG, notes);
  const [before, after] = [Buffer.from('before'), Buffer.from('after')];
  const wanted = Buffer.concat([before, tiff(0, notes, Buffer.alloc(JPEG.length), notes), after]);
  const file = Buffer.concat([before, exif, after]);
  expect(withoutPreviews(file, Buffer.concat([Buffer.from('Exif\0\0'), exif]))).toEqual(wanted);
  expect(withoutPreviews(file, exif)).toEqual(wanted);
});

test('a file without previews is the same, one whose EXIF is not in it as it is told so', () => {
  const file = Buffer.concat([Buffer.from('before'), tiff(0)]);
  expect(withoutPreviews(file, undefined)).toBe(file);
  expect(withoutPreviews(file, tiff(0))).toBe(file);
  expect(withoutPreviews(file, tiff(14, JPEG))).toBeNull();
});

test.each(['', 'I', 'II*\0', 'II*\0\xff\xff\xff\xff', 'MM\0*\0\0\0\x08\xff\xff'])(
  'EXIF that is cut off: %j',
  (text) => {
    const exif = Buffer.from(text, 'latin1');
    expect(withoutPreviews(exif, exif)).toBe(exif);
  },
);

test('a PNG that ends with its EXIF, before the checksum, is told so', () => {
  const length = Buffer.alloc(4);
  const exif = tiff(14, JPEG);
  length.writeUInt32BE(exif.length);
  const png = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), length, Buffer.from('eXIf'), exif]);
  expect(withoutPreviews(png, exif)).toBeNull();
  expect(withoutPreviews(Buffer.concat([png, length]), exif)).toHaveLength(png.length + 4);
});

test('pictures in XMP go, text stays', () => {
  const code = `${JPEG.toString('base64')}&#xA;${'A'.repeat(200)}\n==`;
  expect(xmpWithoutPreviews(`<a:b>${code}</a:b><c d="${code}" e='/9 kept'>iV text</c>`)).toBe(
    `<a:b></a:b><c d="" e='/9 kept'>iV text</c>`,
  );
});
