/** Two processes that share a folder of faces, as two of everything on one folder. */

import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { afterAll, expect, test } from 'vitest';
import { defaultConfig } from '../../../src/config.ts';
import { confirmationOf, consentsIn } from '../../../src/faces/consent.ts';
import { encryptFaces } from '../../../src/faces/encrypt-faces.ts';
import { FaceFolder } from '../../../src/faces/face-files.ts';
import { FaceWatch } from '../../../src/faces/face-watch.ts';
import { FileSeal, isSealed } from '../../../src/faces/sealed-files.ts';

const made: string[] = [];
afterAll(() => {
  for (const dir of made) rmSync(dir, { recursive: true, force: true });
});

function newDir(): string {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'faceoff-shared-'));
  made.push(dir);
  return dir;
}

const configOf = (dir: string, key: string | null = null) => ({
  storage: { dir },
  faces: { ...defaultConfig().faces, key },
});

/** One process: its folder, and what its watch told. */
async function process(dir: string, key: string | null = null) {
  const folder = new FaceFolder(path.join(dir, 'faces'), await FileSeal.of(configOf(dir, key)));
  const told: string[] = [];
  const watch = new FaceWatch({
    folder,
    log: pino({ level: 'silent' }),
    take: async ({ name, photos, confirmations }) =>
      void told.push(`${name} has ${photos.length}, confirmed ${confirmations.length}`),
    lose: (id) => void told.push(`lost ${id}`),
  });
  return { folder, watch, told, look: async () => watch.compare(await folder.ids(), false) };
}

const newKey = (): string => randomBytes(32).toString('base64');
const upload = (name: string) => ({ data: Buffer.from('as it was sent'), name });
const photo = Buffer.from('a photo');

test('a face that one process adds, changes and removes is told to the other, each once', async () => {
  const dir = newDir();
  const [one, other] = [await process(dir), await process(dir)];
  expect(await other.look()).toBe(false);
  const ann = await one.folder.write(upload('Ann'), photo);
  expect(await other.look()).toBe(true);
  expect(await other.look()).toBe(false);
  const more = await one.folder.addPhoto(ann, upload('Ann'), photo);
  await other.look();
  await one.folder.confirm(more, confirmationOf([], null));
  await other.look();
  await one.folder.remove(ann);
  await other.look();
  expect(other.told).toEqual([
    'Ann has 1, confirmed 1',
    'Ann has 2, confirmed 2',
    'Ann has 2, confirmed 3',
    `lost ${ann.id}`,
  ]);
  expect(one.told).toEqual([]);
});

test('what a process wrote itself is no change to it', async () => {
  const one = await process(newDir());
  const { id } = await one.folder.write(upload('Ann'), photo);
  await one.watch.own(id);
  expect(await one.look()).toBe(false);
});

test('photos that processes add at one time are all kept', async () => {
  const dir = newDir();
  const [one, other] = [await process(dir), await process(dir)];
  const ann = await one.folder.write(upload('Ann'), photo);
  const add = ({ folder }: typeof one) => folder.addPhoto(ann, upload('Ann'), photo);
  await Promise.all([add(one), add(other), add(one), add(other)]);
  expect((await one.folder.read(ann.id, () => undefined)).photos).toHaveLength(5);
  expect((await one.folder.read(ann.id, () => undefined)).confirmations).toHaveLength(5);
});

test('a face that is being written elsewhere is left alone, one that was given up an hour ago is removed', async () => {
  const dir = newDir();
  const { folder } = await process(dir);
  for (const [name, hours] of [
    ['fresh.part', 0],
    ['old.part', 2],
  ] as const) {
    const at = path.join(dir, 'faces', name);
    mkdirSync(at, { recursive: true });
    const then = Date.now() / 1000 - 3600 * hours;
    utimesSync(at, then, then);
  }
  await folder.clean();
  expect(readdirSync(path.join(dir, 'faces'))).toEqual(['fresh.part']);
  expect(await folder.ids()).toEqual([]);
});

test('a face that two processes remove is gone, and no error', async () => {
  const dir = newDir();
  const [one, other] = [await process(dir), await process(dir)];
  const ann = await one.folder.write(upload('Ann'), photo);
  await Promise.all([one.folder.remove(ann), other.folder.remove(ann)]);
  expect(await one.folder.ids()).toEqual([]);
});

test('with a key nothing of a face is on disk in the clear', async () => {
  const dir = newDir();
  const key = newKey();
  const { folder } = await process(dir, key);
  const { id } = await folder.write(upload('Ann Example'), photo);
  const files = readdirSync(path.join(dir, 'faces', id));
  expect(files.sort()).toEqual(['consent.json', 'face.json', 'photo.webp']);
  for (const file of files) {
    const data = readFileSync(path.join(dir, 'faces', id, file));
    expect(isSealed(data)).toBe(true);
    expect(data.includes('Ann') || data.includes('a photo')).toBe(false);
  }
  const again = (await process(dir, key)).folder;
  const entry = await again.read(id, () => undefined);
  expect(entry).toMatchObject({ name: 'Ann Example', photos: ['photo.webp'] });
  expect(await again.photo(entry, 'photo.webp')).toEqual(photo);
});

test('a start with another key, or with none, ends; a process that runs leaves such a face out', async () => {
  const dir = newDir();
  const { folder } = await process(dir, newKey());
  await folder.write(upload('Ann'), photo);
  for (const [key, code] of [
    [newKey(), 'faces_key_wrong'],
    [null, 'faces_key_missing'],
  ] as const) {
    const other = await process(dir, key);
    await expect(other.watch.compare(await other.folder.ids(), true)).rejects.toMatchObject({ code });
    await other.look();
    expect(other.told).toEqual([]);
    await expect(consentsIn(configOf(dir, key))).rejects.toMatchObject({ code });
  }
});

test('faces of before a key are read with it, and encrypted by the command, once', async () => {
  const dir = newDir();
  const plain = await process(dir);
  const ann = await plain.folder.write(upload('Ann'), photo);
  writeFileSync(path.join(dir, 'blocked-faces.json'), '[]\n', { mode: 0o600 });
  const key = newKey();
  const sealed = await process(dir, key);
  await sealed.look();
  expect(sealed.told).toEqual(['Ann has 1, confirmed 1']);
  // What is written from now on is encrypted; what was there stays as it is.
  await sealed.folder.addPhoto(ann, upload('Ann'), photo);
  const isPlain = (file: string) => !isSealed(readFileSync(path.join(dir, 'faces', ann.id, file)));
  expect(readdirSync(path.join(dir, 'faces', ann.id)).filter(isPlain)).toEqual(['photo.webp']);
  expect(await encryptFaces(configOf(dir, key))).toBe(2);
  expect(await encryptFaces(configOf(dir, key))).toBe(0);
  expect(readdirSync(path.join(dir, 'faces', ann.id)).filter(isPlain)).toEqual([]);
  await expect(encryptFaces(configOf(dir, newKey()))).rejects.toMatchObject({ code: 'faces_key_wrong' });
  await expect(encryptFaces(configOf(dir))).rejects.toThrow(/faces\.key: is not set/);
});
