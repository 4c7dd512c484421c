import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, expect, test } from 'vitest';
import { ZipFile } from 'yazl';
import type { UploadedFace } from '../../../src/faces/face-service.ts';
import { importPack, packOf } from '../../../src/faces/packs/face-pack.ts';
import { openFolder, openZip } from '../../../src/faces/packs/pack-source.ts';
import { FaceOffError } from '../../../src/shared/errors.ts';
import type { FaceInfo } from '../../../src/shared/messages.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-pack-'));
afterAll(() => rmSync(folder, { recursive: true }));
const LIMITS = { bytes: 100_000, photoBytes: 50_000 };

const info = (id: string, photos: number, more: Partial<FaceInfo> = {}): FaceInfo => ({
  id,
  name: `Face ${id}`,
  builtIn: false,
  addedAt: '',
  photos,
  licence: null,
  thumbnail: '',
  consentedAt: null,
  consentDue: false,
  ...more,
});

/** A library that keeps what it is given; a photo that begins with "blocked" is refused. */
function library() {
  const uploads: UploadedFace[] = [];
  return {
    uploads,
    add: async (upload: UploadedFace): Promise<FaceInfo> => {
      if (Buffer.from(upload.data).toString().startsWith('blocked'))
        throw new FaceOffError('face_blocked', 'Not taken.');
      uploads.push(upload);
      return info(upload.to ?? `new-${uploads.length}`, 1, { name: upload.name });
    },
  };
}

function zipOf(files: Record<string, string | Buffer>): Promise<Buffer> {
  const zip = new ZipFile();
  for (const [name, data] of Object.entries(files)) zip.addBuffer(Buffer.from(data), name);
  zip.end();
  return buffer(zip.outputStream as Readable);
}
const list = (faces: unknown[]): string => JSON.stringify({ format: 'faceoff-faces', version: 1, faces });
const imported = async (files: Record<string, string | Buffer>, by?: string) => {
  const to = library();
  const source = await openZip(await zipOf(files));
  const result = await importPack(source, to, LIMITS, by).finally(() => source.close());
  return { ...result, uploads: to.uploads };
};

test('what is exported is imported again: names, licences, photos in their order, without included faces', async () => {
  const faces = [info('a', 2, { licence: 'CC BY 4.0' }), info('shipped', 1, { builtIn: true }), info('b', 1)];
  const pack = await packOf({ list: () => faces, photo: async (id, at) => Buffer.from(`${id}${at}`) });
  const to = library();
  const source = await openZip(pack);
  const { added, refused } = await importPack(source, to, LIMITS, 'Ann');
  source.close();
  expect(refused).toEqual([]);
  expect(added.map(({ name }) => name)).toEqual(['Face a', 'Face b']);
  expect(to.uploads.map(({ data, ...rest }) => [Buffer.from(data).toString(), rest])).toEqual([
    ['a0', { name: 'Face a', pick: 0, licence: 'CC BY 4.0', confirmedBy: 'Ann' }],
    ['a1', { name: 'Face a', pick: 0, licence: 'CC BY 4.0', confirmedBy: 'Ann', to: 'new-1' }],
    ['b0', { name: 'Face b', pick: 0, confirmedBy: 'Ann' }],
  ]);
});

test('a photo that is refused is named with its reason, and the others are added', async () => {
  const { added, refused } = await imported({
    'pack.json': list([
      { name: 'One', photos: ['1.webp'] },
      { name: 'Two', photos: ['2.webp', 'gone.webp'] },
    ]),
    '1.webp': 'blocked',
    '2.webp': 'photo',
  });
  expect(added.map(({ name }) => name)).toEqual(['Two']);
  expect(refused.map(({ name, photo, code }) => [name, photo, code])).toEqual([
    ['One', '1.webp', 'face_blocked'],
    ['Two', 'gone.webp', 'bad_pack'],
  ]);
});

test('no more is inflated than the limits let in, whatever the zip says', async () => {
  const photos = ['1', '2', '3'].map((name) => `${name}.webp`);
  const files = Object.fromEntries(photos.map((name) => [name, Buffer.alloc(45_000)]));
  const { uploads, refused } = await imported({ 'pack.json': list([{ name: 'Many', photos }]), ...files });
  expect(uploads).toHaveLength(2);
  expect(refused).toMatchObject([{ photo: '3.webp', code: 'bad_pack' }]);

  // Ten megabytes of zeros take ten kilobytes.
  const bomb = await imported({ 'pack.json': list([{ name: 'Bomb', photos: ['b'] }]), b: Buffer.alloc(10 * 2 ** 20) });
  expect(bomb).toMatchObject({ added: [], refused: [{ photo: 'b', code: 'bad_pack' }] });

  // The same, with a header that says it is small.
  const zip = await zipOf({ 'pack.json': list([{ name: 'Bomb', photos: ['b'] }]), b: Buffer.alloc(10 * 2 ** 20) });
  for (let at = zip.indexOf('PK\x01\x02', 'latin1'); at >= 0; at = zip.indexOf('PK\x01\x02', at + 4, 'latin1'))
    if (zip.readUInt32LE(at + 24) > 2 ** 20) zip.writeUInt32LE(1000, at + 24);
  const to = library();
  const source = await openZip(zip);
  const lied = await importPack(source, to, LIMITS).finally(() => source.close());
  expect(lied).toMatchObject({ added: [], refused: [{ photo: 'b', code: 'bad_pack' }] });
  expect(to.uploads).toEqual([]);
});

test.each<[string, Record<string, string>]>([
  ['without a list', { '1.webp': 'x' }],
  ['whose list is no JSON', { 'pack.json': '{' }],
  ['of another version', { 'pack.json': JSON.stringify({ format: 'faceoff-faces', version: 2, faces: [] }) }],
  ['without faces', { 'pack.json': list([]) }],
  ['with a face without photos', { 'pack.json': list([{ name: 'A', photos: [] }]) }],
])('a pack %s is refused whole', async (_what, files) => {
  await expect(imported(files)).rejects.toMatchObject({ code: 'bad_pack' });
});

test('a zip with a name that leaves it is refused, and so is what is no zip', async () => {
  const zip = await zipOf({ 'pack.json': list([{ name: 'A', photos: ['a/evil'] }]), 'xx/evil': 'x' });
  const sly = Buffer.from(zip.toString('latin1').replaceAll('xx/evil', '../evil'), 'latin1');
  await expect(openZip(sly)).rejects.toMatchObject({ code: 'bad_pack' });
  await expect(openZip(Buffer.from('no zip'))).rejects.toMatchObject({ code: 'bad_pack' });
});

test('a folder is read like a zip, and nothing outside of it, by a path or a link', async () => {
  const pack = path.join(folder, 'pack');
  mkdirSync(pack);
  writeFileSync(path.join(folder, 'secret'), 'secret');
  writeFileSync(path.join(pack, 'a.webp'), 'photo');
  symlinkSync(path.join(folder, 'secret'), path.join(pack, 'link'));
  writeFileSync(path.join(pack, 'pack.json'), list([{ name: 'A', photos: ['a.webp', '../secret', 'link'] }]));
  const to = library();
  const { refused } = await importPack(await openFolder(pack), to, LIMITS);
  expect(to.uploads.map(({ data }) => Buffer.from(data).toString())).toEqual(['photo']);
  expect(refused.map(({ photo, code }) => [photo, code])).toEqual([
    ['../secret', 'bad_pack'],
    ['link', 'bad_pack'],
  ]);
  await expect(openFolder(path.join(folder, 'none'))).rejects.toMatchObject({ code: 'bad_pack' });
});
