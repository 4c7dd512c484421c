import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { decodeApart } from '../../../src/faces/pictures/decode-apart.ts';
import { decodePicture } from '../../../src/faces/portrait.ts';
import { astronaut } from '../../support/lane.ts';

const limits = { bytes: 20 * 2 ** 20, pixels: 50e6, side: 16_384, memory: 512 * 2 ** 20 };
const square = sharp({ create: { width: 64, height: 64, channels: 3, background: '#456' } });

/** A JPEG of 60 kB; each entry of its EXIF names the list that it is in. */
async function endlessExif(): Promise<Buffer> {
  const entries = 4900;
  const exif = Buffer.alloc(18 + 12 * entries);
  exif.write('Exif\0\0II*\0\x08\0\0\0', 'latin1');
  exif.writeUInt16LE(entries, 14);
  for (let at = 16; at < 16 + 12 * entries; at += 12) {
    exif.writeUInt16LE(0x8769, at);
    exif.writeUInt16LE(4, at + 2);
    exif.writeUInt32LE(1, at + 4);
    exif.writeUInt32LE(8, at + 8);
  }
  const head = Buffer.from([0xff, 0xe1, 0, 0]);
  head.writeUInt16BE(exif.length + 2, 2);
  const jpeg = await square.jpeg().toBuffer();
  return Buffer.concat([jpeg.subarray(0, 2), head, exif, jpeg.subarray(2)]);
}

/** An SVG of 5 kB without a size, each group of which shows the one before ten times. */
function endlessSvg(): Buffer {
  const groups = Array.from({ length: 24 }, (_, n) => `<g id="g${n + 1}">${`<use href="#g${n}"/>`.repeat(10)}</g>`);
  const first = '<g id="g0"><rect width="1" height="1"/></g>';
  return Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg"><defs>${first}${groups.join('')}</defs><use href="#g24"/></svg>`,
  );
}

test('a picture is what it is in this process', async () => {
  const data = await readFile(astronaut);
  const apart = await decodeApart(data, { ...limits, timeMs: 30_000 });
  expect(apart).toEqual(await decodePicture(data, limits));
});

test('metadata that takes too long to read ends with its process, and the next picture is decoded', async () => {
  const data = await endlessExif();
  const beganMs = performance.now();
  await expect(decodeApart(data, { ...limits, timeMs: 200 })).rejects.toMatchObject({ code: 'picture_too_slow' });
  console.log(`refused after ${Math.round(performance.now() - beganMs)} ms`);
  const next = await decodeApart(await square.png().toBuffer(), { ...limits, timeMs: 30_000 });
  expect(next).toMatchObject({ width: 64, height: 64 });
});

test.each([
  ['an SVG whose parts repeat each other', endlessSvg()],
  ['the same with a byte order mark', Buffer.concat([Buffer.from('\ufeff'), endlessSvg()])],
  ['a PDF', Buffer.from('%PDF-1.4\n')],
  ['a picture of Radiance', Buffer.from('#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 60000 +X 60000\n')],
  ['a portable pixmap', Buffer.from('P6\n60000 60000\n255\n')],
  ['nothing', Buffer.alloc(0)],
])('%s is refused by its first bytes', async (_what, data) => {
  const beganMs = performance.now();
  await expect(decodePicture(data, limits)).rejects.toMatchObject({ code: 'bad_picture', status: 415 });
  expect(performance.now() - beganMs).toBeLessThan(1000);
});

test.each(['jpeg', 'png', 'webp', 'avif', 'gif', 'tiff'] as const)('a %s is decoded', async (format) => {
  const data = await square.toFormat(format).toBuffer();
  expect(await decodePicture(data, limits)).toMatchObject({ width: 64, height: 64 });
});
