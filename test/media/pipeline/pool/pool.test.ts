/** The pool when it ends or changes at the wrong moment. */

import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { Lane } from '../../../../src/pipeline/lane/lane.ts';
import { laneOptions } from '../../../../src/pipeline/pool/lane-options.ts';
import { LaneThread } from '../../../../src/pipeline/pool/lane-thread.ts';
import { Pool } from '../../../../src/pipeline/pool/pool.ts';
import type { Frame } from '../../../../src/shared/types.ts';
import { killLane } from '../../../support/crashes.ts';
import { astronaut, copyFrame, cutFrame, group, modelsDir, readFrame } from '../../../support/lane.ts';
import { gate, Puppet } from '../../../support/puppet.ts';
import { patchedConfig, until } from '../../../support/server.ts';
import { swapSettings } from '../../../support/settings.ts';
import { type StandIns, standIns } from '../../../support/stand-ins.ts';

let models: StandIns;
let folder: string;
let picture: Frame;
let camera: Frame;
beforeAll(async () => {
  models = standIns();
  folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-pool-'));
  picture = await readFrame(astronaut);
  camera = await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 640, 480);
});
afterAll(() => {
  models.remove();
  rmSync(folder, { recursive: true, force: true });
});

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});
const silent = pino({ level: 'silent' });
const within = <T>(ms: number, wait: Promise<T>): Promise<T> =>
  Promise.race([
    wait,
    new Promise<never>((_, reject) => setTimeout(() => reject(new Error(`not within ${ms} ms`)), ms)),
  ]);

async function startPool(): Promise<{ pool: Pool; threads: () => Promise<LaneThread[]> }> {
  const started = vi.spyOn(LaneThread, 'start');
  endings.push(() => started.mockRestore());
  const config = patchedConfig({ models: { dir: modelsDir, warmupRuns: 0, cacheDir: folder }, pipeline: { lanes: 1 } });
  const pool = await Pool.start(config, silent);
  endings.push(() => pool.close());
  return { pool, threads: () => Promise.all(started.mock.results.map(({ value }) => value as Promise<LaneThread>)) };
}
/** Whether a thread has ended: it answers no more. */
const isOver = (thread: LaneThread): Promise<boolean> =>
  within(5000, thread.ask('hold', { on: false })).then(
    () => false,
    (error: { code?: string }) => error.code !== undefined,
  );

test('a pool that is closed while a face is being enrolled leaves no thread behind', async () => {
  const { pool, threads } = await startPool();
  const photos = gate();
  pool.offer('mine', async () => {
    await photos.opened;
    const [face] = [{ points: new Float32Array(1434) }];
    return [{ picture, points: face.points }];
  });
  pool.open('s', { face: 'mine' });
  await pool.close();
  photos.open();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  for (const thread of await threads()) expect(await isOver(thread)).toBe(true);
});

test('a pool that is closed while a lane is being replaced leaves no thread behind', async () => {
  const { pool, threads } = await startPool();
  await killLane();
  await pool.close();
  expect(
    await Promise.race([threads(), new Promise((resolve) => setTimeout(resolve, 0, 'starting still'))]),
  ).toHaveLength(2);
  for (const thread of await threads()) expect(await isOver(thread)).toBe(true);
});

test('a face that is replaced while it is being enrolled stays the new one', async () => {
  const { pool } = await startPool();
  const [face] = await pool.analyse(copyFrame(picture));
  const [other] = await pool.analyse(copyFrame(camera));
  const asked = vi.spyOn(LaneThread.prototype, 'ask');
  endings.push(() => asked.mockRestore());
  const given = () => asked.mock.calls.filter(([call]) => call === 'take').length;
  const old = gate();
  pool.offer('mine', async () => {
    await old.opened;
    return [{ picture, points: face!.points }];
  });
  pool.open('s', { face: 'mine' });
  pool.offer('mine', async () => [{ picture: camera, points: other!.points }]);
  pool.open('t', { face: 'mine' });
  await until(() => given() === 1, 'the new one');
  old.open();
  const enrolled = () =>
    asked.mock.calls.flatMap(([call], i) => (call === 'enrol' ? asked.mock.results[i]!.value : []));
  await until(() => enrolled().length === 2, 'the old one being enrolled');
  await Promise.all(enrolled());
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(given()).toBe(1);
});

test('a face that is chosen while a lane is replaced is used afterwards, without a report', async () => {
  const lines: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => lines.push(line) });
  const config = patchedConfig({ models: { dir: modelsDir, warmupRuns: 0, cacheDir: folder }, pipeline: { lanes: 1 } });
  const losses: string[] = [];
  const onLost = (part: string, cause: string): void => void losses.push(`${part}: ${cause}`);
  const pool = await Pool.start(config, log, { deadline: false, onLost });
  endings.push(() => pool.close());
  const [face] = await pool.analyse(copyFrame(picture));
  pool.offer('mine', async () => [{ picture, points: face!.points }]);
  await killLane();
  const session = pool.open('s', { face: 'mine' });
  const swapped = async () => {
    const done = await session.swap(copyFrame(camera)).catch(() => null);
    return done?.result === 'swapped';
  };
  await until(swapped, 'a swap', 30_000);
  expect(lines.join()).toMatch(/lane lost/);
  expect(losses).toEqual([expect.stringMatching(/^lane: A worker thread was lost: .* It is being replaced\.$/)]);
  expect(lines.join()).not.toMatch(/face cannot be used/);
});

test('a lane ends though a model is still being opened for it', async () => {
  const puppet = new Puppet(path.join(folder, 'device.sock'));
  await puppet.listen();
  endings.push(() => puppet.close());
  const options = laneOptions(patchedConfig({ models: { dir: models.folder, warmupRuns: 0 } }));
  const faults: unknown[] = [];
  const lane = await Lane.start(
    { ...options, budgetMs: 60_000, deviceAddress: puppet.address, engine: 'inswapper_128' },
    (error) => faults.push(error),
  );
  const [face] = await lane.analyse(copyFrame(picture));
  await lane.take('source', await lane.enrol([{ picture, points: face!.points }]));
  await lane.takeFor('inswapper_128', 'source', { source: new Float32Array(512) });
  await lane.open('a', swapSettings({ engine: 'inswapper_128' }));
  const next = () => lane.swap('a', { ...copyFrame(camera), receivedAtMs: performance.now() });
  await next();
  puppet.opening = () => new Promise(() => undefined);
  const before = puppet.opened;
  puppet.cut();
  await until(async () => (await next()) && puppet.opened > before, 'the opening');
  faults.length = 0;
  await within(3000, lane.end());
  expect(faults).toEqual([]);
});

test('faces that left are dropped and new ones found while an engine loads and nothing serves', async () => {
  const puppet = new Puppet(path.join(folder, 'slow.sock'));
  await puppet.listen();
  endings.push(() => puppet.close());
  const options = laneOptions(patchedConfig({ models: { dir: models.folder, warmupRuns: 0 } }));
  const lane = await Lane.start(
    { ...options, budgetMs: 60_000, deviceAddress: puppet.address, reserve: 'none', intervalMs: 60_000 },
    () => undefined,
  );
  endings.push(() => lane.end());
  const [face] = await lane.analyse(copyFrame(picture));
  await lane.take('source', await lane.enrol([{ picture, points: face!.points }]));
  await lane.takeFor('inswapper_128', 'source', { source: new Float32Array(512).fill(0.1) });
  const opening = gate();
  puppet.opening = () => opening.opened;
  await lane.open('a', swapSettings({ engine: 'inswapper_128' }));
  const show = (frame: Frame) => lane.swap('a', { ...copyFrame(frame), receivedAtMs: performance.now() });
  const moved = await cutFrame(group, { left: 1200, top: 130, width: 460, height: 345 }, 640, 480);
  // One person leaves and another comes: the search for the first one over the whole frame ends.
  for (const frame of [camera, moved]) for (let i = 0; i < 5; i++) await show(frame);
  const detected = [];
  for (let i = 0; i < 6; i++) detected.push((await show(camera)).stagesMs.detect !== undefined);
  expect(detected.slice(4)).toEqual([false, false]);
  opening.open();
  await until(async () => (await show(camera)).result === 'swapped', 'a swap', 5000);
  const { faces } = await show(camera);
  expect(faces.every(({ swapped }) => swapped)).toBe(true);
});

test('changed defaults hold for the next session, also in a lane that replaces another', async () => {
  const { pool } = await startPool();
  const config = patchedConfig({ models: { dir: modelsDir, warmupRuns: 0, cacheDir: folder } });
  Object.assign(config.swap, { strength: 0.3, face: 'astronaut' });
  config.detection.score = 0.9;
  const ask = vi.spyOn(LaneThread.prototype, 'ask');
  endings.push(() => ask.mockRestore());
  pool.offer('astronaut', async () => []);
  pool.configure(config);
  expect(pool.open('next', {}).settings).toMatchObject({ strength: 0.3 });
  const options = (): unknown[] => ask.mock.calls.filter(([call]) => call === 'configure').map(([, given]) => given);
  expect(options()).toEqual([expect.objectContaining({ score: 0.9 })]);
  await killLane();
  await until(() => options().length === 2, 'the lane to be replaced');
  expect(options()[1]).toMatchObject({ score: 0.9 });
  expect(() => pool.check({ ...config, swap: { ...config.swap, engine: 'no-such-model' } })).toThrow(/^swap\.engine: /);
});
