/** Faces whose files were damaged on disk while the program did not run. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { afterAll, expect, test } from 'vitest';
import { FaceLibrary } from '../../../src/faces/face-library.ts';
import { decodePicture } from '../../../src/faces/portrait.ts';
import type { Pool } from '../../../src/pipeline/pool/pool.ts';
import { modelsDir } from '../../support/lane.ts';
import { patchedConfig } from '../../support/server.ts';

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
