import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { clear, surplus, sweep } from '../../../src/cache/cleanup.ts';
import { CacheSweeper } from '../../../src/cache/cache-sweeper.ts';
import { type CacheItem, KINDS } from '../../../src/cache/cache-kinds.ts';
import { kindNamed, reportOf } from '../../../src/cache/cache-report.ts';
import { CacheLeases, heldIn } from '../../../src/cache/leases.ts';
import { root } from '../../../src/lib/package-root.ts';
import { astronaut } from '../../support/lane.ts';
import { patchedConfig, startProgram, startServer, until } from '../../support/server.ts';

const MB = 2 ** 20;
const DAY_S = 86_400;
const GENEROUS = { maxMb: 1000, maxAgeDays: 1000 };

let cache: string;
beforeEach(() => {
  cache = mkdtempSync(path.join(os.tmpdir(), 'faceoff-cache-test-'));
});
afterEach(() => rmSync(cache, { recursive: true, force: true }));

/** A folder with one file of that size, last used so many days ago. */
function put(at: string, mb: number, daysAgo = 0): void {
  const folder = path.join(cache, at);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'model.bin'), Buffer.alloc(mb * MB));
  const then = Date.now() / 1000 - daysAgo * DAY_S;
  utimesSync(folder, then, then);
}
const there = (at: string): boolean => existsSync(path.join(cache, at));
const left = (folder: string): string[] => readdirSync(path.join(cache, folder)).sort();
const everything = (): void => {
  put('optimised/aaa', 2, 3);
  put('tensorrt/bbb', 4, 2);
  put('tensorrt/ccc', 1, 5);
  put('gpu/1.29.0', 3, 900);
  mkdirSync(path.join(cache, 'tuning'));
  writeFileSync(path.join(cache, 'tuning/batches.json'), Buffer.alloc(MB));
  writeFileSync(path.join(cache, 'notes.txt'), 'x'.repeat(2000));
  writeFileSync(path.join(cache, '.gitkeep'), '');
};

describe('the cache report', () => {
  test('sums up by kind, with sizes and last use', async () => {
    everything();
    const report = await reportOf(cache);
    expect(report.map(({ kind, items, bytes, inUse }) => [kind, items, bytes, inUse])).toEqual([
      ['optimised', 1, 2 * MB, 0],
      ['tensorrt', 2, 5 * MB, 0],
      ['gpu', 1, 3 * MB, 0],
      ['h264', 0, 0, 0],
      ['livekit', 0, 0, 0],
      ['tuning', 1, MB, 0],
      ['other', 1, 2000, 0],
    ]);
    const usedAt = Date.parse(report.find(({ kind }) => kind === 'tensorrt')!.usedAt!);
    expect((Date.now() - usedAt) / 1000 / DAY_S).toBeCloseTo(2, 2);
  });

  test('is empty for a folder that does not exist', async () => {
    rmSync(cache, { recursive: true });
    expect((await reportOf(cache)).every(({ items, usedAt }) => items === 0 && usedAt === null)).toBe(true);
    expect(await sweep(cache, GENEROUS)).toEqual([]);
  });

  test('refuses an unknown kind and names the known ones', () => {
    expect(() => kindNamed('face')).toThrow(/kinds are: optimised, tensorrt, gpu, h264, livekit, tuning, other/);
  });
});

describe('clearing the cache', () => {
  test('deletes the given kind and nothing else', async () => {
    everything();
    const { deleted, held } = await clear(cache, [kindNamed('tensorrt')]);
    expect(deleted.map((item) => item.path).sort()).toEqual(['tensorrt/bbb', 'tensorrt/ccc']);
    expect(held).toEqual([]);
    expect(left('tensorrt')).toEqual([]);
    expect(there('optimised/aaa/model.bin')).toBe(true);
  });

  test('keeps items held by a living process and deletes those of an ended one', async () => {
    everything();
    const use = new CacheLeases(cache);
    const letGo = await use.hold('tensorrt/bbb');
    expect((await clear(cache, [kindNamed('tensorrt')])).held.map((item) => item.path)).toEqual(['tensorrt/bbb']);
    expect(left('tensorrt')).toEqual(['bbb']);
    await letGo();
    await letGo();
    await clear(cache, [kindNamed('tensorrt')]);
    expect(left('tensorrt')).toEqual([]);
    expect(left('.in-use')).toEqual([]);
  });

  test('leaves a link and its target alone', async () => {
    put('elsewhere', 1);
    mkdirSync(path.join(cache, 'gpu'));
    symlinkSync(path.join(cache, 'elsewhere'), path.join(cache, 'gpu/link'));
    expect((await clear(cache, [kindNamed('gpu')])).deleted).toEqual([]);
    expect(there('elsewhere/model.bin')).toBe(true);
  });
});

describe('leases', () => {
  test('of a dead process hold nothing, and its list is deleted', async () => {
    everything();
    const other = spawn('sleep', ['60']);
    mkdirSync(path.join(cache, '.in-use'));
    writeFileSync(path.join(cache, `.in-use/${other.pid}-abcd.json`), '["tensorrt/bbb"]');
    expect((await heldIn(cache))('tensorrt/bbb')).toBe(true);
    expect((await heldIn(cache))('tensorrt/bb')).toBe(false);
    const gone = new Promise((resolve) => other.once('exit', resolve));
    other.kill();
    await gone;
    expect((await heldIn(cache))('tensorrt/bbb')).toBe(false);
    expect(left('.in-use')).toEqual([]);
  });

  test('in a malformed list hold nothing and break nothing', async () => {
    mkdirSync(path.join(cache, '.in-use'));
    writeFileSync(path.join(cache, `.in-use/${process.pid}-abcd.json`), '{"not": a list');
    expect((await heldIn(cache))('tensorrt/bbb')).toBe(false);
  });

  test('on a kind hold its items, are counted, and note a use at both ends', async () => {
    put('tensorrt/bbb', 1, 30);
    const use = new CacheLeases(cache);
    const [first, second] = [await use.hold('tensorrt'), await use.hold('tensorrt')];
    await first();
    expect((await heldIn(cache))('tensorrt/bbb')).toBe(true);
    await second();
    expect((await heldIn(cache))('tensorrt/bbb')).toBe(false);
    await (await use.hold('tensorrt/bbb'))();
    expect(Date.now() - statSync(path.join(cache, 'tensorrt/bbb')).mtimeMs).toBeLessThan(60_000);
  });

  test('of one process do not overwrite each other', async () => {
    const [one, other] = [new CacheLeases(cache), new CacheLeases(cache)];
    await Promise.all([one.hold('tensorrt/a'), other.hold('tensorrt/b')]);
    await one.close();
    const isHeld = await heldIn(cache);
    expect([isHeld('tensorrt/a'), isHeld('tensorrt/b')]).toEqual([false, true]);
    await other.close();
  });
});

describe('the sweeper', () => {
  test('deletes the least recently used items of all reproducible kinds until the rest fits', async () => {
    everything();
    expect((await sweep(cache, { maxMb: 6, maxAgeDays: 1000 })).map((item) => item.path)).toEqual(['tensorrt/ccc']);
    expect((await sweep(cache, { maxMb: 4, maxAgeDays: 1000 })).map((item) => item.path)).toEqual(['optimised/aaa']);
    expect(left('tensorrt')).toEqual(['bbb']);
  });

  test('deletes items unused for too long, however small', async () => {
    everything();
    expect((await sweep(cache, { maxMb: 1000, maxAgeDays: 4 })).map((item) => item.path)).toEqual(['tensorrt/ccc']);
  });

  test('never deletes libraries, measurements or unknown items', async () => {
    everything();
    await sweep(cache, { maxMb: 0, maxAgeDays: 0 }, Date.now() + 1000);
    expect([left('optimised'), left('tensorrt')]).toEqual([[], []]);
    expect(['gpu/1.29.0', 'tuning/batches.json', 'notes.txt'].every(there)).toBe(true);
  });

  test('counts and keeps items in use', async () => {
    everything();
    const use = new CacheLeases(cache);
    await use.hold('tensorrt/ccc');
    // Held, so it was used just now; even if its time said otherwise.
    utimesSync(path.join(cache, 'tensorrt/ccc'), 0, 0);
    const gone = await sweep(cache, { maxMb: 3, maxAgeDays: 1000 });
    expect(gone.map((item) => item.path)).toEqual(['optimised/aaa', 'tensorrt/bbb']);
    await use.close();
  });

  test('keeps items being written and deletes unfinished ones', async () => {
    put('tensorrt/new.part', 9);
    put('tensorrt/old.part', 9, 2);
    expect((await sweep(cache, { maxMb: 5, maxAgeDays: 1000 })).map((item) => item.path)).toEqual(['tensorrt/old.part']);
    expect(left('tensorrt')).toEqual(['new.part']);
  });

  test('deletes nothing at the limits and only as much as needed beyond them', () => {
    const item = (name: string, mb: number, usedAtMs: number): CacheItem => ({
      kind: 'tensorrt', path: `tensorrt/${name}`, bytes: mb * MB, usedAtMs, partial: false,
    });
    const items = [item('c', 2, 3000), item('a', 5, 1000), item('b', 3, 2000)];
    const gone = (maxMb: number) =>
      surplus(items, { maxMb, maxAgeDays: 1 }, 5000, () => false).map((one) => one.path.at(-1));
    expect(gone(10)).toEqual([]);
    expect(gone(9)).toEqual(['a']);
    expect(gone(4)).toEqual(['a', 'b']);
    expect(gone(0)).toEqual(['a', 'b', 'c']);
  });

  test("runs at a server's start and then by the clock, and keeps what the server may need", async () => {
    everything();
    const config = patchedConfig({ models: { cacheDir: cache }, cache: { maxMb: 5, cleanIntervalMs: 1000 } });
    const sweeper = await CacheSweeper.start(config, pino({ level: 'silent' }));
    await until(() => left('tensorrt').length === 1 && left('optimised').length === 0, 'the first cleaning');
    put('tensorrt/ddd', 3, 1);
    await until(() => left('tensorrt').join() === 'ddd', 'the next cleaning');
    const { deleted, held } = await clear(cache, KINDS);
    expect(deleted.map((item) => item.kind).sort()).toEqual(['tensorrt', 'tuning']);
    expect(held.map((item) => item.kind).sort()).toEqual(['gpu']);
    await sweeper.close();
    expect(left('.in-use')).toEqual([]);
  });
});

test('a changed schedule of the cache begins at once', async () => {
  everything();
  const config = patchedConfig({ models: { cacheDir: cache }, cache: { maxMb: 5 } });
  const sweeper = await CacheSweeper.start(config, pino({ level: 'silent' }));
  await until(() => left('optimised').length === 0, 'the first cleaning');
  Object.assign(config.cache, { maxMb: 0, cleanIntervalMs: 1000 });
  sweeper.reschedule();
  await until(() => left('tensorrt').length === 0, 'the next cleaning');
  await sweeper.close();
});

/** A face and a preset as people have them, and what lies where an older FaceOff kept them. */
function people(data: string): void {
  for (const at of [data, cache]) {
    mkdirSync(path.join(at, 'faces/anna'), { recursive: true });
    copyFileSync(astronaut, path.join(at, 'faces/anna/photo.webp'));
    const face = { name: 'Anna', addedAt: '2026-01-01T00:00:00.000Z', photos: ['photo.webp'] };
    writeFileSync(path.join(at, 'faces/anna/face.json'), JSON.stringify(face));
    writeFileSync(path.join(at, 'presets.json'), JSON.stringify([{ name: 'Mine', settings: { strength: 0.5 } }]));
    writeFileSync(path.join(at, 'https-key.pem'), 'key');
  }
}
const PEOPLE = ['faces/anna/face.json', 'faces/anna/photo.webp', 'presets.json', 'https-key.pem'];

describe('/api/cache', () => {
  test('reports the cache and clears every kind that FaceOff made, nothing of people', async () => {
    everything();
    const data = mkdtempSync(path.join(os.tmpdir(), 'faceoff-cache-data-'));
    people(data);
    const server = await startServer({
      models: { cacheDir: cache, dir: path.join(root, 'models'), warmupRuns: 0 },
      storage: { dir: data },
    });
    try {
      const { kinds, limits } = (await (await fetch(`${server.url}/api/cache`)).json()) as {
        kinds: { kind: string; bytes: number }[];
        limits: object;
      };
      expect(kinds.find(({ kind }) => kind === 'tensorrt')).toMatchObject({ items: 2, bytes: 5 * MB, swept: true });
      expect(limits).toMatchObject({ maxMb: 20_000 });
      const remove = (kind: string) => fetch(`${server.url}/api/cache/${kind}`, { method: 'DELETE' });
      expect(await (await remove('tensorrt')).json()).toEqual({ deleted: 2, bytes: 5 * MB, inUse: 0 });
      for (const kind of ['optimised', 'gpu', 'tuning']) expect((await remove(kind)).status).toBe(200);
      const refused = await remove('other');
      expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([403, 'not_ours']);
      for (const kind of ['faces', 'certificate', 'nothing']) expect((await remove(kind)).status).toBe(404);
      for (const at of PEOPLE) expect([there(at), existsSync(path.join(data, at))], at).toEqual([true, true]);
      const faces = (await (await fetch(`${server.url}/api/faces`)).json()) as { id: string }[];
      expect(faces.map(({ id }) => id)).toContain('anna');
      expect(await (await fetch(`${server.url}/api/presets`)).json()).toMatchObject([{ name: 'Mine' }]);
    } finally {
      await server.stop();
      rmSync(data, { recursive: true, force: true });
    }
  });
});

describe('faceoff cache', () => {
  const run = (...args: string[]) =>
    spawnSync('node', [path.join(root, 'dist/main.js'), 'cache', ...args, '--set', `models.cacheDir=${cache}`], {
      encoding: 'utf8',
    });

  test('info lists the kinds', () => {
    everything();
    const { stdout, status } = run('info');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^tensorrt {2,}2 {2,}5 MB {2}\d{4}-\d\d-\d\d \d\d:\d\d {2,}TensorRT engines$/m);
    expect(stdout).toMatch(/^other {2,}1 {2,}2 kB .*never deleted$/m);
  });

  test('clear deletes what FaceOff made, and faces and presets survive it wherever they are', () => {
    everything();
    const data = path.join(cache, 'data');
    people(data);
    expect(run('clear')).toMatchObject({ status: 0, stdout: '5 deleted, 11 MB.\n' });
    expect([left('gpu'), left('optimised'), left('tensorrt'), left('tuning')]).toEqual([[], [], [], []]);
    expect(there('notes.txt')).toBe(true);
    for (const at of PEOPLE) expect([there(at), existsSync(path.join(data, at))], at).toEqual([true, true]);
  });

  test('clear of the unknown items is refused', () => {
    everything();
    people(path.join(cache, 'data'));
    const { status, stderr } = run('clear', 'other');
    expect(status).toBe(1);
    expect(stderr).toMatch(/deletes only what it made/);
    expect(PEOPLE.every(there)).toBe(true);
  });

  test('an unknown kind is refused in a sentence', () => {
    expect(run('clear', 'everything')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/The kinds are: optimised/),
    });
  });

  test('clear keeps what a running server uses until it has stopped', async () => {
    everything();
    const program = await startProgram(['--set', `models.cacheDir=${cache}`]);
    try {
      const { status, stdout } = run('clear');
      expect(status).toBe(0);
      expect(stdout).toMatch(/a running server uses them: gpu/);
      expect([left('gpu'), left('tensorrt')]).toEqual([['1.29.0'], []]);
    } finally {
      await program.stop();
    }
    expect(run('clear').stdout).toMatch(/^1 deleted/);
    expect(left('gpu')).toEqual([]);
  });
});
