import { spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { movePersonalData } from '../../../src/commands/move-personal-data.ts';
import { root } from '../../../src/lib/package-root.ts';
import { astronaut } from '../../support/lane.ts';
import { patchedConfig, startProgram } from '../../support/server.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-move-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A folder on another disk than the temporary one, where this machine has one. */
const otherDisk = ['/dev/shm'].find((at) => existsSync(at) && statSync(at).dev !== statSync(os.tmpdir()).dev);

/** What FaceOff 0.1 kept in its cache: two faces, presets, a certificate; and what stays there. */
function installed(cache: string): void {
  for (const id of ['anna', 'ben']) {
    mkdirSync(path.join(cache, 'faces', id), { recursive: true });
    copyFileSync(astronaut, path.join(cache, 'faces', id, 'photo.webp'));
    const face = { name: id, addedAt: '2026-01-01T00:00:00.000Z', photos: ['photo.webp'] };
    writeFileSync(path.join(cache, 'faces', id, 'face.json'), JSON.stringify(face));
  }
  mkdirSync(path.join(cache, 'faces/gone.part'));
  writeFileSync(path.join(cache, 'presets.json'), JSON.stringify([{ name: 'Mine', settings: { strength: 0.5 } }]));
  writeFileSync(path.join(cache, 'https-key.pem'), 'key', { mode: 0o600 });
  writeFileSync(path.join(cache, 'https-certificate.pem'), 'certificate');
  mkdirSync(path.join(cache, 'gpu/1.29.0'), { recursive: true });
}

const ALL = ['faces', 'faces/anna', 'faces/ben', 'https-certificate.pem', 'https-key.pem', 'presets.json'];
const FACE = ['face.json', 'photo.webp'];
/** Files and folders below one, but for what a face holds. */
const tree = (at: string): string[] =>
  readdirSync(at, { recursive: true, encoding: 'utf8' })
    .filter((name) => !FACE.includes(path.basename(name)))
    .sort();

/** Moves, and returns what was logged. */
async function move(cache: string, data: string): Promise<{ moved?: string[]; kept?: string[] }[]> {
  const lines: object[] = [];
  const log = { info: (facts: object) => void lines.push(facts), warn: (facts: object) => void lines.push(facts) };
  await movePersonalData(patchedConfig({ models: { cacheDir: cache }, storage: { dir: data } }), log);
  return lines;
}

describe.each([
  ['on one disk', () => path.join(folder, 'data')],
  ['to another disk', () => mkdtempSync(path.join(otherDisk!, 'faceoff-move-'))],
])('moving what people made out of the cache %s', (_where, place) => {
  const isElsewhere = _where === 'to another disk';
  let cache: string;
  let data: string;
  beforeEach((context) => {
    if (isElsewhere && otherDisk === undefined) return context.skip();
    cache = path.join(folder, 'cache');
    data = place();
  });
  afterEach(() => {
    if (data !== undefined) rmSync(data, { recursive: true, force: true });
  });

  test('takes all of it, tells it once, and leaves the rest', async () => {
    installed(cache);
    const [line, ...more] = await move(cache, data);
    expect(line!.moved!.sort()).toEqual(ALL.slice(1));
    expect(more).toEqual([]);
    expect(tree(data)).toEqual(ALL);
    expect(tree(path.join(data, 'faces/anna'))).toEqual([]);
    expect(readdirSync(path.join(data, 'faces/anna')).sort()).toEqual(FACE);
    expect(statSync(path.join(data, 'https-key.pem')).mode & 0o777).toBe(0o600);
    expect(tree(cache)).toEqual(['gpu', 'gpu/1.29.0']);
    expect(await move(cache, data)).toEqual([]);
  });

  test('overwrites nothing: what storage.dir holds already stays, and so does the other', async () => {
    installed(cache);
    mkdirSync(path.join(data, 'faces/anna'), { recursive: true });
    writeFileSync(path.join(data, 'faces/anna/face.json'), 'another');
    writeFileSync(path.join(data, 'https-key.pem'), 'another');
    const lines = await move(cache, data);
    expect(lines.flatMap(({ kept = [] }) => kept).sort()).toEqual([
      'faces/anna',
      'https-certificate.pem',
      'https-key.pem',
    ]);
    expect(readFileSync(path.join(data, 'faces/anna/face.json'), 'utf8')).toBe('another');
    expect(readFileSync(path.join(data, 'https-key.pem'), 'utf8')).toBe('another');
    expect(readdirSync(path.join(cache, 'faces/anna')).sort()).toEqual(FACE);
    expect(existsSync(path.join(data, 'https-certificate.pem'))).toBe(false);
    expect(existsSync(path.join(data, 'faces/ben'))).toBe(true);
  });

  test('goes on where it was interrupted', async () => {
    installed(cache);
    // One face was copied, and not yet deleted; of another there is half a copy, of a process that has ended.
    for (const name of FACE) {
      mkdirSync(path.join(data, 'faces/anna'), { recursive: true });
      copyFileSync(path.join(cache, 'faces/anna', name), path.join(data, 'faces/anna', name));
    }
    const child = spawn('true');
    await new Promise((resolve) => child.once('exit', resolve));
    mkdirSync(path.join(data, `.moving-${child.pid}-abc`));
    await move(cache, data);
    expect(tree(data)).toEqual(ALL);
    expect(tree(cache)).toEqual(['gpu', 'gpu/1.29.0']);
  });

  test('does no harm when several do it at once', async () => {
    for (let round = 0; round < 5; round++) {
      installed(cache);
      await Promise.all([move(cache, data), move(cache, data), move(cache, data)]);
      expect(tree(data)).toEqual(ALL);
      for (const id of ['anna', 'ben']) expect(readdirSync(path.join(data, 'faces', id)).sort()).toEqual(FACE);
      expect(tree(cache)).toEqual(['gpu', 'gpu/1.29.0']);
      rmSync(data, { recursive: true });
    }
  });
});

test('storage.dir may be the cache folder: nothing moves', async () => {
  installed(folder);
  expect(await move(folder, folder)).toEqual([]);
  expect(readdirSync(path.join(folder, 'faces')).sort()).toEqual(['anna', 'ben', 'gone.part']);
});

test.skipIf(process.getuid?.() === 0)('what cannot be moved is a sentence, and is still there', async () => {
  const cache = path.join(folder, 'cache');
  installed(cache);
  mkdirSync(path.join(folder, 'data'));
  chmodSync(path.join(folder, 'data'), 0o500);
  await expect(move(cache, path.join(folder, 'data'))).rejects.toMatchObject({ code: 'not_moved' });
  expect(readdirSync(path.join(cache, 'faces/anna')).sort()).toEqual(FACE);
});

test('a folder that cannot be made is a sentence, and all is still there', async () => {
  const cache = path.join(folder, 'cache');
  installed(cache);
  writeFileSync(path.join(folder, 'data'), 'a file where the folder should be');
  await expect(move(cache, path.join(folder, 'data'))).rejects.toThrow(/cannot be moved .*EEXIST|ENOTDIR/);
  expect(readdirSync(path.join(cache, 'faces/anna')).sort()).toEqual(FACE);
});

test('a server of an older layout starts with its faces and presets', async () => {
  const cache = path.join(folder, 'cache');
  installed(cache);
  const data = path.join(folder, 'data');
  const program = await startProgram(['--set', `models.cacheDir=${cache}`, '--set', `storage.dir=${data}`]);
  try {
    const faces = (await (await fetch(`${program.url}/api/faces`)).json()) as { id: string }[];
    expect(faces.map(({ id }) => id)).toEqual(expect.arrayContaining(['anna', 'ben']));
    expect((await fetch(`${program.url}/api/faces/anna/thumbnail`)).status).toBe(200);
    expect(await (await fetch(`${program.url}/api/presets`)).json()).toMatchObject([{ name: 'Mine' }]);
  } finally {
    await program.stop();
  }
  expect(existsSync(path.join(root, 'data'))).toBe(false);
});
