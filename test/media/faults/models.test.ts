/** Model files and source faces that are broken, at the start and while the program runs; a cache that keeps nothing. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Pool } from '../../../src/pipeline/pool/pool.ts';
import type { FaceInfo } from '../../../src/shared/messages.ts';
import type { Frame } from '../../../src/shared/types.ts';
import { killDevice, killLane } from '../../support/crashes.ts';
import { astronaut, copyFrame, cutFrame, group, readFrame } from '../../support/lane.ts';
import { patchedConfig, startProgram, until } from '../../support/server.ts';
import { type StandIns, standIns } from '../../support/stand-ins.ts';

const GENERATOR = 'inswapper_128';
let models: StandIns;
let folder: string;
let camera: Frame;
let lines: { msg: string; error?: string }[] = [];
beforeAll(async () => {
  models = standIns();
  folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-broken-'));
  camera = await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 640, 480);
});
afterAll(() => {
  models?.remove();
  rmSync(folder, { recursive: true, force: true });
});
const left: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of left.splice(0).reverse()) await clean();
});

/** Halves a file. @returns what makes it whole again. */
function truncated(file: string): () => void {
  const whole = readFileSync(file);
  truncateSync(file, Math.floor(statSync(file).size / 2));
  const mend = (): void => writeFileSync(file, whole);
  left.push(mend);
  return mend;
}

const modelFile = (name: string): string => path.join(models.folder, name);

/** A pool with one lane. Resolves with a function that swaps the next frame; null where the frame is lost. */
async function start(engine = 'mesh', cacheDir = path.join(folder, 'cache')) {
  lines = [];
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const config = patchedConfig({
    models: { dir: models.folder, warmupRuns: 0, cacheDir },
    pipeline: { lanes: 1, budgetMs: 1000 },
    swap: { engine },
  });
  const pool = await Pool.start(config, log);
  left.push(() => pool.close());
  const picture = await readFrame(astronaut);
  const [face] = await pool.analyse(copyFrame(picture));
  pool.offer('mine', async () => [{ picture, points: face!.points }]);
  await pool.preload('mine');
  const session = pool.open('s', { face: 'mine' });
  const next = () => session.swap({ ...copyFrame(camera), receivedAtMs: performance.now() }).catch(() => null);
  return { pool, next };
}

/** A generator's stand-in copies the face, mesh paints all of it. */
function byGenerator({ data }: Frame): boolean {
  let sum = 0;
  for (let y = 180; y < 330; y++)
    for (let x = 220; x < 380; x++) sum += Math.abs(data[y * 640 + x]! - camera.data[y * 640 + x]!);
  return sum / (150 * 160) < 4;
}

describe('a model file that is cut short', () => {
  test.each([
    'face-detector.onnx',
    'face-mesh.onnx',
    'face-embedder.onnx',
    'face-occluder.onnx',
    'face-delight.onnx',
    'person-segmenter.onnx',
  ])('%s at the start is refused in a sentence that names it', async (name) => {
    truncated(modelFile(name));
    await expect(start()).rejects.toMatchObject({
      code: 'model_differs',
      message: expect.stringMatching(new RegExp(`${name} is not the file .*Restore it with`)),
    });
  });

  test('while it runs costs nothing until a lane dies, which is replaced once the file is whole', async () => {
    const { next } = await start();
    await until(async () => (await next())?.result === 'swapped', 'a swap');
    const mend = truncated(modelFile('face-mesh.onnx'));
    for (let n = 0; n < 5; n++) expect((await next())?.result).toBe('swapped');
    await killLane();
    const told = () => lines.find(({ msg }) => msg === 'lane cannot be replaced, trying again');
    await until(async () => {
      await next();
      return told() !== undefined;
    }, 'the log to tell');
    expect(told()!.error).toContain('face-mesh.onnx is not the file');
    mend();
    await until(async () => (await next())?.result === 'swapped', 'a swap by the new lane', 20_000);
  });

  test("of a generator while it runs costs nothing until the device dies; then mesh swaps, and the model's state tells why", async () => {
    const { pool, next } = await start(GENERATOR);
    const painted = async (): Promise<string> => {
      const done = await next();
      expect(done?.result).toBe('swapped');
      return byGenerator(done!.frame) ? 'by the generator' : 'by mesh';
    };
    await until(async () => (await painted()) === 'by the generator', 'the generator', 20_000);
    const mend = truncated(models.catalogue.fileOf(models.catalogue.named(GENERATOR, 'generator')));
    for (let n = 0; n < 5; n++) expect(await painted()).toBe('by the generator');
    killDevice();
    const state = () => pool.models.list().find(({ name }) => name === GENERATOR)!;
    await until(async () => (await painted()) === 'by mesh' && state().state === 'failed', 'mesh to serve', 20_000);
    expect(JSON.stringify(state())).toMatch(/inswapper_128|sha256|cannot/);
    mend();
    await until(async () => (await painted()) === 'by the generator', 'the generator again', 30_000);
  });
});

test('a cache that cannot be written costs a generator its speed-up and nothing else', async () => {
  const cacheDir = path.join(folder, 'no-folder');
  writeFileSync(cacheDir, 'a file where the folder should be');
  const { next } = await start(GENERATOR, cacheDir);
  await until(
    async () => {
      const done = await next();
      return done !== null && done.result === 'swapped' && byGenerator(done.frame);
    },
    'the generator',
    20_000,
  );
  expect(readFileSync(cacheDir, 'utf8')).toBe('a file where the folder should be');
});

describe('at the start', () => {
  const faces = (): string => {
    const data = mkdtempSync(path.join(folder, 'data-'));
    for (const [id, record, photo] of [
      ['no-record', null, 'x'],
      ['half-a-record', '{"name": "Half', 'x'],
      ['no-picture', '{"name":"No","addedAt":"2026-01-01T00:00:00Z","photos":["photo.webp"]}', 'no picture'],
    ] as const) {
      mkdirSync(path.join(data, 'faces', id), { recursive: true });
      if (record !== null) writeFileSync(path.join(data, 'faces', id, 'face.json'), record);
      writeFileSync(path.join(data, 'faces', id, 'photo.webp'), photo);
    }
    mkdirSync(path.join(data, 'faces', 'interrupted.part'));
    return data;
  };

  test('a face that cannot be read is left out and told, one without a picture is refused when it is chosen', async () => {
    const server = await startProgram(['--set', `storage.dir=${faces()}`]);
    left.push(() => server.stop());
    const listed = (await (await fetch(`${server.url}/api/faces`)).json()) as FaceInfo[];
    expect(listed.filter(({ builtIn }) => !builtIn).map(({ id }) => id)).toEqual(['no-picture']);
    const told = server
      .said()
      .split('\n')
      .filter((line) => line.includes('face cannot be read, left out'));
    expect(told).toHaveLength(2);
    expect((await fetch(`${server.url}/api/faces/no-picture/thumbnail`)).status).toBe(410);
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  });

  test('the face of swap.face that cannot be used is refused in a sentence', async () => {
    const started = startProgram(['--set', `storage.dir=${faces()}`, '--set', 'swap.face=no-picture']);
    await expect(started).rejects.toThrow(
      /ended with 1: (.*\n)*swap\.face: the face "no-picture" cannot be used \(The photos .*This file is not a picture/,
    );
  });

  test('a port that is taken is told in a sentence, exit 1', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    left.push(() => other.close());
    const { port } = other.address() as { port: number };
    const started = startProgram(['--set', 'swap.engine=none', '--port', String(port)]);
    await expect(started).rejects.toThrow(
      /ended with 1: (.*\n)*The server cannot listen on .*taken by another program/,
    );
  });
});
