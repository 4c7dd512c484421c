/** Faces whose files were damaged on disk while the program did not run, or changed by another process while it does. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { afterAll, expect, test } from 'vitest';
import { FaceFolder } from '../../../src/faces/face-files.ts';
import { FaceLibrary } from '../../../src/faces/face-library.ts';
import { decodePicture } from '../../../src/faces/portrait.ts';
import { FileSeal } from '../../../src/faces/sealed-files.ts';
import type { Pool } from '../../../src/pipeline/pool/pool.ts';
import { modelsDir } from '../../support/lane.ts';
import { patchedConfig, until } from '../../support/server.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-faces-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const pool = { offer: () => undefined, analyse: async () => [] } as unknown as Pool;

/** A library with one own face. @param photo null where its file is gone. */
async function libraryWith(
  photo: string | null,
  record: unknown = { name: 'Me', addedAt: '', photos: ['photo.webp'] },
) {
  const dir = mkdtempSync(path.join(folder, 'data-'));
  mkdirSync(path.join(dir, 'faces/own'), { recursive: true });
  writeFileSync(path.join(dir, 'faces/own/face.json'), JSON.stringify(record));
  if (photo !== null) writeFileSync(path.join(dir, 'faces/own/photo.webp'), photo);
  return FaceLibrary.open(
    patchedConfig({ storage: { dir }, models: { dir: modelsDir } }),
    pool,
    pino({ level: 'silent' }),
  );
}

test.each([
  ['empty', ''],
  ['no picture', 'RIFF....WEBP'],
  ['gone', null],
])('a face whose photo is %s is listed, and refused with what to do', async (_what, photo) => {
  const faces = await libraryWith(photo);
  expect(faces.list().map(({ id }) => id)).toContain('own');
  for (const read of [() => faces.thumbnail('own'), () => faces.portraits('own')])
    await expect(read()).rejects.toMatchObject({
      code: 'face_damaged',
      status: 410,
      message: expect.stringMatching(/Delete the face/),
    });
});

test.each([[{}], [{ name: 'Me', addedAt: '', photos: [] }], [{ name: 'Me', addedAt: '', photos: { length: {} } }]])(
  'a face whose record is damaged is left out: %j',
  async (record) => {
    expect((await libraryWith('', record)).list().filter(({ builtIn }) => !builtIn)).toEqual([]);
  },
);

test('an empty file is no picture', async () => {
  await expect(decodePicture(new Uint8Array(), { bytes: 1, pixels: 1 })).rejects.toMatchObject({ code: 'bad_picture' });
});

test('a face that another process adds can be chosen without a restart, and one that it removes is covered and gone', async () => {
  const dir = mkdtempSync(path.join(folder, 'data-'));
  const config = patchedConfig({ storage: { dir }, models: { dir: modelsDir } });
  const told: string[] = [];
  const watched = {
    offer: (id: string) => void told.push(`offered ${id}`),
    withdraw: (id: string) => {
      told.push(`withdrawn ${id}`);
      return ['S'];
    },
    analyse: async () => [],
  } as unknown as Pool;
  const faces = await FaceLibrary.open(config, watched, pino({ level: 'silent' }));
  faces.follow((wearers) => void told.push(`changed, worn by ${wearers.length}`));
  told.length = 0;
  const elsewhere = new FaceFolder(path.join(dir, 'faces'), await FileSeal.of(config));
  const added = await elsewhere.write({ data: Buffer.from('x'), name: 'Ann' }, Buffer.from('no picture'));
  // By itself, within two seconds.
  await until(() => told.includes('changed, worn by 0'), 'the face of the other process');
  expect(told).toEqual([`offered ${added.id}`, 'changed, worn by 0']);
  expect(faces.list().map(({ name }) => name)).toContain('Ann');
  await elsewhere.remove(added);
  await faces.look();
  expect(told.slice(2)).toEqual([`withdrawn ${added.id}`, 'changed, worn by 1', 'changed, worn by 0']);
  expect(faces.list().every(({ builtIn }) => builtIn)).toBe(true);
  faces.close();
});

test('faces that were written with another key are an error of the start, which says what to do', async () => {
  const dir = mkdtempSync(path.join(folder, 'data-'));
  const keyed = (byte: number) =>
    patchedConfig({
      storage: { dir },
      models: { dir: modelsDir },
      faces: { key: Buffer.alloc(32, byte).toString('hex') },
    });
  const seal = await FileSeal.of(keyed(1));
  await new FaceFolder(path.join(dir, 'faces'), seal).write({ data: Buffer.from('x'), name: 'Ann' }, Buffer.from('y'));
  const log = pino({ level: 'silent' });
  (await FaceLibrary.open(keyed(1), pool, log)).close();
  await expect(FaceLibrary.open(keyed(2), pool, log)).rejects.toMatchObject({
    code: 'faces_key_wrong',
    message: expect.stringMatching(/Set FACEOFF_FACES_KEY/),
  });
});
