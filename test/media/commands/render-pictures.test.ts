/** Strangers' pictures: what they hold stays. */

import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync, symlinkSync } from 'node:fs';
import sharp from 'sharp';
import { describe, expect, test, vi } from 'vitest';
import { astronaut, group } from '../../support/lane.ts';
import { at, ffmpeg, render, renderByProgram, written } from '../../support/render.ts';

vi.setConfig({ testTimeout: 120_000 });

describe('a picture', () => {
  const rawOf = async (file: string) => sharp(file).raw().toBuffer({ resolveWithObject: true });

  test('keeps its size and, away from the face, every pixel', async () => {
    const large = await sharp(group).resize(3000).png().toBuffer();
    expect(await render(written('large.png', large), at('large-out.png'))).toEqual({ status: 0, stderr: '' });
    const [before, after] = [await rawOf(at('large.png')), await rawOf(at('large-out.png'))];
    expect([after.info.width, after.info.height]).toEqual([3000, 2000]);
    let same = 0;
    for (let p = 0; p < before.data.length; p++) if (before.data[p] === after.data[p]) same++;
    expect(same / before.data.length).toBeGreaterThan(0.9);
    expect(same).toBeLessThan(before.data.length);
  });

  test('keeps what is transparent, its colour profile and its EXIF', async () => {
    const { width, height } = await sharp(astronaut).metadata();
    const hole = { create: { width: 40, height: 40, channels: 4 as const, background: '#000' } };
    const clear = await sharp(astronaut)
      .ensureAlpha()
      .composite([{ input: hole, left: 5, top: 5, blend: 'dest-out' }])
      .withIccProfile('p3')
      .withExif({ IFD0: { Artist: 'A photographer' } })
      .png()
      .toBuffer();
    expect((await render(written('clear.png', clear), at('clear-out.png'))).stderr).toBe('');
    const { data, info } = await rawOf(at('clear-out.png'));
    expect(info).toMatchObject({ width, height, channels: 4 });
    expect([data[4 * (10 * width + 10) + 3], data[4 * (100 * width + 100) + 3]]).toEqual([0, 255]);
    const { icc, exif } = await sharp(at('clear-out.png')).metadata();
    expect(icc?.length).toBe((await sharp(at('clear.png')).metadata()).icc?.length);
    expect(exif?.toString('latin1')).toContain('A photographer');
  });

  test.each(['webp', 'gif'] as const)('keeps what is transparent in a still %s', async (kind) => {
    const { width, height } = await sharp(astronaut).metadata();
    const hole = { create: { width: 40, height: 40, channels: 4 as const, background: '#000' } };
    const clear = sharp(astronaut)
      .ensureAlpha()
      .composite([{ input: hole, left: 5, top: 5, blend: 'dest-out' }]);
    const input = written(`still.${kind}`, await clear.toFormat(kind).toBuffer());
    expect((await render(input, at(`still-out.${kind}`))).stderr).toBe('');
    const [before, { data, info }] = [await rawOf(input), await rawOf(at(`still-out.${kind}`))];
    expect(info).toMatchObject({ width, height, channels: 4 });
    expect([data[4 * (10 * width + 10) + 3], data[4 * (100 * width + 100) + 3]]).toEqual([0, 255]);
    expect(data.equals(before.data)).toBe(false);
  });

  test.each([
    ['BMP', 'bmp', () => Buffer.concat([Buffer.from('BM'), Buffer.alloc(68)])],
    ['HEIC', 'heic', () => Buffer.concat([Buffer.from([0, 0, 0, 24]), Buffer.from('ftypheic\0\0\0\0mif1heic')])],
  ])('of the kind %s is refused in a sentence', async (_kind, ending, data) => {
    const { status, stderr } = await render(written(`not-read.${ending}`, data()), at('not-read.png'));
    expect(status).toBe(1);
    expect(stderr).toMatch(/not a picture that can be read|Save it as/);
    expect(existsSync(at('not-read.png'))).toBe(false);
  });

  test('larger than a server takes is swapped at its size', async () => {
    const large = await sharp(astronaut).resize(3200, 3000, { fit: 'fill' }).png({ compressionLevel: 1 }).toBuffer();
    const { status } = await renderByProgram(written('large.png', large), at('large-out.png'));
    expect(status).toBe(0);
    const [before, after] = [await rawOf(at('large.png')), await rawOf(at('large-out.png'))];
    expect(after.info).toMatchObject({ width: 3200, height: 3000 });
    expect(after.data.equals(before.data)).toBe(false);
  });

  test.each(['avif', 'tiff', 'jfif'])('of the kind %s is read and written', async (kind) => {
    const format = kind === 'jfif' ? 'jpeg' : (kind as 'avif' | 'tiff');
    const input = written(`in.${kind}`, await sharp(astronaut).toFormat(format).toBuffer());
    expect((await render(input, at(`kind-out.${kind}`))).stderr).toBe('');
    expect((await sharp(at(`kind-out.${kind}`)).metadata()).width).toBe((await sharp(astronaut).metadata()).width);
  });

  test.each([90, 180, 270])('that is turned by %d degrees is swapped, and stays turned', async (degrees) => {
    const input = written('turned.png', await sharp(astronaut).rotate(degrees).png().toBuffer());
    expect((await render(input, at('turned-out.png'))).stderr).toBe('');
    const [before, after] = [await rawOf(input), await rawOf(at('turned-out.png'))];
    expect(after.info).toMatchObject({ width: before.info.width, height: before.info.height });
    const changed = after.data.reduce((sum, value, p) => sum + (value === before.data[p] ? 0 : 1), 0);
    expect(changed / after.data.length).toBeGreaterThan(0.02);
    expect(changed / after.data.length).toBeLessThan(0.5);
  });

  test('that is transparent stays so as TIFF, without loss', async () => {
    const clear = written('see-through.png', await sharp(astronaut).ensureAlpha(0.5).png().toBuffer());
    expect((await render(clear, at('see-through.tiff'))).stderr).toBe('');
    const [before, after] = [await rawOf(clear), await rawOf(at('see-through.tiff'))];
    expect(after.info.channels).toBe(4);
    expect([...after.data.subarray(0, 4000)]).toEqual([...before.data.subarray(0, 4000)]);
  });

  test.each(['jpeg', 'png', 'webp', 'avif'] as const)('keeps no preview of the face as it was (%s)', async (kind) => {
    const thumbnail = await sharp(astronaut).resize(80).jpeg().toBuffer();
    const preview = `<xmp:Thumbnails><rdf:Alt><rdf:li x:image="${thumbnail.toString('base64')}"/></rdf:Alt></xmp:Thumbnails>`;
    const rdf = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"';
    const packet = `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF ${rdf}><rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Label="kept">${preview}</rdf:Description></rdf:RDF></x:xmpmeta>`;
    const jpeg = await sharp(astronaut).withXmp(packet).jpeg().toBuffer();
    const head = exifWithThumbnail('A photographer', thumbnail);
    const size = Buffer.from([0xff, 0xe1, (head.length + 2) >> 8, (head.length + 2) & 255]);
    const photo = Buffer.concat([jpeg.subarray(0, 2), size, head, jpeg.subarray(2)]);
    const coded = kind === 'jpeg' ? photo : await sharp(photo).keepExif().keepXmp().toFormat(kind).toBuffer();
    const part = thumbnail.subarray(300, 340);
    expect(coded.includes(part), 'the input has it').toBe(true);
    expect((await render(written(`preview.${kind}`, coded), at(`preview-out.${kind}`))).stderr).toBe('');
    const file = readFileSync(at(`preview-out.${kind}`));
    expect(file.includes(part)).toBe(false);
    const { exif, xmpAsString } = await sharp(file).metadata();
    expect(exif?.toString('latin1')).toContain('A photographer');
    expect(xmpAsString).toMatch(/Label="kept"/);
    expect(xmpAsString).not.toContain(thumbnail.toString('base64').slice(100, 140));
  });

  test('that moves as a PNG does is an animation, or says that one picture is written', async (context) => {
    const face = written('moving-in.png', await sharp(astronaut).resize(200).png().toBuffer());
    const moving = ['-vf', 'loop=2:1,setpts=N/10/TB,hue=b=4*t', '-r', '10', '-f', 'apng', at('moving.png')];
    if (ffmpeg('-i', face, ...moving).status !== 0) context.skip();
    expect((await render(at('moving.png'), at('moving-out.webp'))).stderr).toBe('');
    expect((await sharp(at('moving-out.webp'), { pages: -1 }).metadata()).pages).toBe(3);
    const listening = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    await render(at('moving.png'), at('moving-out.png'));
    expect(listening).toHaveBeenCalledWith(expect.stringMatching(/moving\.png has several pictures; the first/));
    listening.mockRestore();
  });

  test('is written where a link points to, and never in place of a pipe', async () => {
    const face = written('linked.png', await sharp(astronaut).resize(200).png().toBuffer());
    symlinkSync(written('target.png', 'old'), at('link.png'));
    expect((await render(face, at('link.png'))).stderr).toBe('');
    expect(lstatSync(at('link.png')).isSymbolicLink()).toBe(true);
    expect((await sharp(at('target.png')).metadata()).width).toBe(200);
    expect(spawnSync('mkfifo', [at('pipe.png')]).status).toBe(0);
    expect((await render(face, at('pipe.png'))).stderr).toMatch(/pipe\.png is a pipe or a device/);
    expect((await render(at('pipe.png'), at('piped.png'))).stderr).toMatch(/pipe\.png is a pipe or a device/);
  });

  test('without a face is written as it was, and the exit code tells', async () => {
    const grey = sharp({ create: { width: 320, height: 240, channels: 3, background: '#7090a0' } });
    const input = written('empty.png', await grey.png().toBuffer());
    const { status, stderr } = await renderByProgram(input, at('empty-out.png'));
    expect(status).toBe(3);
    expect(stderr).toMatch(/No face was found in .*empty\.png/);
    expect(await rawOf(at('empty-out.png'))).toEqual(await rawOf(input));
  });
});

/** EXIF of a JPEG with an artist, and a thumbnail in its second directory. */
function exifWithThumbnail(artist: string, jpeg: Buffer): Buffer {
  const entry = (tag: number, type: number, count: number, value: number): Buffer => {
    const bytes = Buffer.alloc(12);
    bytes.writeUInt16LE(tag, 0);
    bytes.writeUInt16LE(type, 2);
    bytes.writeUInt32LE(count, 4);
    bytes.writeUInt32LE(value, 8);
    return bytes;
  };
  const word = (value: number): Buffer => Buffer.from([value & 255, (value >> 8) & 255, (value >> 16) & 255, 0]);
  const name = Buffer.from(`${artist}\0`, 'latin1');
  const first = 8 + 2 + 12 + 4;
  const second = first + name.length;
  const pixels = second + 2 + 36 + 4;
  const head = [Buffer.from('Exif\0\0II*\0', 'latin1'), word(8)];
  const about = [Buffer.from([1, 0]), entry(0x13b, 2, name.length, first), word(second), name];
  const entries = [entry(0x103, 3, 1, 6), entry(0x201, 4, 1, pixels), entry(0x202, 4, 1, jpeg.length)];
  return Buffer.concat([...head, ...about, Buffer.from([3, 0]), ...entries, word(0), jpeg]);
}
