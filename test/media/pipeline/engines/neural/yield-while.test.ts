/** What may happen to a lane while a picture is painted elsewhere: other streams' frames, changes, endings, losses. */

import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { Lane } from '../../../../../src/pipeline/lane/lane.ts';
import { laneOptions } from '../../../../../src/pipeline/pool/lane-options.ts';
import type { LaneOptions } from '../../../../../src/pipeline/pool/lane-protocol.ts';
import { FaceOffError } from '../../../../../src/shared/errors.ts';
import type { SwapSettings } from '../../../../../src/shared/settings.ts';
import type { Frame } from '../../../../../src/shared/types.ts';
import { astronaut, copyFrame, cutFrame, group, readFrame } from '../../../../support/lane.ts';
import { gate, Puppet } from '../../../../support/puppet.ts';
import { patchedConfig, until } from '../../../../support/server.ts';
import { swapSettings } from '../../../../support/settings.ts';
import { type StandIns, standIns } from '../../../../support/stand-ins.ts';

const ENGINE = 'inswapper_128';
const byMesh = swapSettings();
const byGenerator = swapSettings({ engine: ENGINE });

let models: StandIns;
let folder: string;
let first: Frame;
let second: Frame;
let picture: Frame;
beforeAll(async () => {
  models = standIns();
  folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-away-'));
  // The same face at two places: what is drawn for one of them is wrong for the other.
  first = await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 640, 480);
  second = await cutFrame(group, { left: 1340, top: 100, width: 460, height: 345 }, 640, 480);
  picture = await readFrame(astronaut);
});
afterAll(() => {
  models.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** Enrolled once for all lanes. */
let enrolled: Awaited<ReturnType<Lane['enrol']>> | null = null;
let count = 0;
let faults: FaceOffError[] = [];
const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
  faults = [];
});

async function start(patch: Partial<LaneOptions> = {}): Promise<{ lane: Lane; puppet: Puppet }> {
  const puppet = new Puppet(path.join(folder, `${count++}.sock`));
  await puppet.listen();
  endings.push(() => puppet.close());
  const options = laneOptions(patchedConfig({ models: { dir: models.folder, warmupRuns: 0 } }));
  const lane = await Lane.start(
    { ...options, budgetMs: 60_000, deviceAddress: puppet.address, engine: ENGINE, ...patch },
    (error) => faults.push(error as FaceOffError),
  );
  endings.push(() => lane.end());
  if (enrolled === null) {
    const [face] = await lane.analyse(copyFrame(picture));
    enrolled = await lane.enrol([{ picture, points: face!.points }]);
  }
  await lane.take('source', structuredClone(enrolled));
  await lane.takeFor(ENGINE, 'source', { source: new Float32Array(512).fill(0.1) });
  return { lane, puppet };
}

const now = (frame: Frame): Frame => ({ ...copyFrame(frame), receivedAtMs: performance.now() });

/** Mean difference of luma. */
function difference(p: Frame, q: Frame): number {
  let sum = 0;
  for (let i = 0; i < p.width * p.height; i++) sum += Math.abs(p.data[i]! - q.data[i]!);
  return sum / (p.width * p.height);
}

/** A frame as it is swapped in a stream that is alone in the lane. */
async function alone(lane: Lane, frame: Frame, settings: SwapSettings): Promise<Frame> {
  await lane.open('alone', settings);
  const done = await lane.swap('alone', now(frame));
  await lane.close('alone');
  return done.frame;
}

describe('a lane whose frame awaits the device', () => {
  test("changes the frame's own picture though its face is dropped meanwhile", async () => {
    const { lane } = await start();
    const painted = await alone(lane, first, byGenerator);
    await lane.open('a', byGenerator);
    await lane.open('b', byMesh);
    await lane.swap('b', now(second));
    const a = lane.swap('a', now(first));
    const b = lane.swap('b', now(second));
    const drop = lane.drop('source');
    const { frame, result } = await a;
    await Promise.all([b, drop]);
    expect(result).toBe('swapped');
    expect(difference(frame, painted)).toBeLessThan(0.1);
  });

  test('reports nothing of an engine that is replaced meanwhile', async () => {
    const { lane } = await start();
    await lane.open('a', byGenerator);
    await lane.swap('a', now(first));
    const frame = lane.swap('a', now(first));
    const set = lane.set('a', byMesh);
    expect((await frame).result).toBe('swapped');
    await set;
    expect(faults).toEqual([]);
  });

  test('runs an engine at once that was replaced and chosen again meanwhile', async () => {
    const { lane, puppet } = await start({ engine: 'mesh' });
    await lane.open('a', byGenerator);
    await until(async () => (await lane.swap('a', now(first))) && puppet.asked > 0, 'the generator');
    const frame = lane.swap('a', now(first));
    const there = lane.set('a', byMesh);
    const back = lane.set('a', byGenerator);
    await Promise.all([frame, there, back]);
    const before = puppet.asked;
    await until(async () => (await lane.swap('a', now(first))) && puppet.asked > before, 'the generator again', 3000);
    expect(faults).toEqual([]);
  });

  test("draws no other stream's face when its source face is replaced meanwhile and mesh has to serve", async () => {
    const { lane, puppet } = await start();
    const swapped = await alone(lane, first, byMesh);
    await lane.open('a', byGenerator);
    await lane.swap('a', now(first));
    const failing = gate();
    puppet.running = () => failing.opened.then(() => Promise.reject(new FaceOffError('out_of_memory', 'none left')));
    const before = puppet.asked;
    const frame = lane.swap('a', now(first));
    await until(() => puppet.asked > before, 'the run');
    // When a face is replaced, the textures of the old one go to the next face that needs some.
    const [face] = await lane.analyse(copyFrame(picture));
    await lane.take('source', await lane.enrol([{ picture, points: face!.points }]));
    const [other] = await lane.analyse(copyFrame(second));
    const stranger = await lane.enrol([{ picture: second, points: other!.points }]);
    await lane.take('other', stranger);
    await lane.open('b', { ...byMesh, face: 'other' });
    const strange = await lane.swap('b', now(second));
    failing.open();
    expect(difference((await frame).frame, swapped)).toBeLessThan(0.5);
    // And nothing was drawn into the stranger's either.
    expect(difference((await lane.swap('b', now(second))).frame, strange.frame)).toBeLessThan(0.5);
  });

  test("awaits a mask no longer than the frame's budget", async () => {
    const { lane, puppet } = await start({ mask: 'xseg_3', budgetMs: 1500 });
    await lane.open('a', byGenerator);
    await lane.swap('a', now(first));
    // The generator answers, the mask does not.
    let runs = 0;
    puppet.running = () => (runs++ % 2 === 0 ? Promise.resolve() : new Promise(() => undefined));
    const stuck = new Promise<string>((resolve) => setTimeout(resolve, 5000, 'stuck'));
    const frame = lane.swap('a', now(first)).then(({ result }) => result);
    expect(await Promise.race([frame, stuck])).toBe('swapped');
    expect(runs).toBeGreaterThanOrEqual(2);
  });

  test("survives the end of the frame's stream", async () => {
    const { lane, puppet } = await start();
    await lane.open('a', byGenerator);
    await lane.swap('a', now(first));
    const failing = gate();
    puppet.running = () => failing.opened.then(() => Promise.reject(new FaceOffError('out_of_memory', 'none left')));
    const before = puppet.asked;
    const frame = lane.swap('a', now(first));
    await until(() => puppet.asked > before, 'the run');
    await lane.close('a');
    failing.open();
    await frame;
    await lane.open('b', byMesh);
    expect((await lane.swap('b', now(second))).result).toBe('swapped');
  });

  test('ends only after the frame', async () => {
    const { lane, puppet } = await start();
    await lane.open('a', byGenerator);
    await lane.swap('a', now(first));
    const later = gate();
    puppet.running = () => later.opened;
    const frame = lane.swap('a', now(first));
    setTimeout(later.open, 100);
    expect((await frame).result).toBe('swapped');
    await lane.end();
  });
});

describe('a device that is lost', () => {
  test('while several streams wait is opened again at once, without a rest', async () => {
    const { lane, puppet } = await start();
    const streams = ['a', 'b', 'c', 'd'];
    for (const stream of streams) await lane.open(stream, byGenerator);
    const round = () => Promise.all(streams.map((stream) => lane.swap(stream, now(first))));
    await round();
    await round();
    const never = gate();
    puppet.running = () => never.opened;
    const before = puppet.asked;
    const going = streams.slice(0, 3).map((stream) => lane.swap(stream, now(first)));
    await until(() => puppet.asked >= before + 3, 'three runs');
    puppet.running = async () => undefined;
    // The lane's clock stands still from here on: an engine that had to rest would rest for good.
    const clock = vi.spyOn(performance, 'now').mockReturnValue(performance.now());
    endings.push(() => clock.mockRestore());
    // The other stream's first frame runs before the loss is noticed, its next ones afterwards.
    const more: Promise<unknown>[] = [];
    await lane.runExclusively(async () => {
      more.push(...[1, 2, 3].map(() => lane.swap('d', now(first))));
      puppet.cut();
      await new Promise((resolve) => setTimeout(resolve, 50));
    });
    expect((await Promise.all(going)).map(({ result }) => result)).toEqual(['swapped', 'swapped', 'swapped']);
    await Promise.all(more);
    await until(async () => {
      const asked = puppet.asked;
      await round();
      return puppet.asked >= asked + 4;
    }, 'all four being painted again');
    expect(faults.filter(({ code }) => code === 'engine_failed').length).toBeLessThanOrEqual(1);
  });

  test('takes the restorer with it, which comes back by itself', async () => {
    const { lane, puppet } = await start({ engine: 'mesh', restorer: 'gfpgan_1.4', restoreBlend: 1 });
    await lane.open('a', byMesh);
    const next = () => lane.swap('a', now(first));
    await next();
    expect(puppet.asked).toBeGreaterThan(0);
    puppet.cut();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await next()).result).toBe('swapped');
    const before = puppet.asked;
    await until(async () => (await next()) && puppet.asked > before, 'faces being restored again', 4000);
    expect(faults).toEqual([]);
  });

  test('holds up no stream while it opens models slowly', async () => {
    const { lane, puppet } = await start();
    for (const stream of ['a', 'b']) await lane.open(stream, byGenerator);
    await lane.swap('a', now(first));
    const [held, opening] = [gate(), gate()];
    puppet.running = () => held.opened;
    const asked = puppet.asked;
    const a = lane.swap('a', now(first));
    await until(() => puppet.asked > asked, 'the run');
    // The only painter is at work; the next one needs the model, which takes its time.
    puppet.opening = () => opening.opened;
    let b!: Promise<unknown>;
    await lane.runExclusively(async () => {
      b = lane.swap('b', now(second));
      puppet.cut();
      await new Promise((resolve) => setTimeout(resolve, 50));
    });
    const stuck = new Promise((resolve) => setTimeout(resolve, 3000, 'stuck'));
    await lane.open('c', byMesh);
    expect(await Promise.race([lane.swap('c', now(first)).then(({ result }) => result), stuck])).toBe('swapped');
    expect(await Promise.race([Promise.all([a, b]).then(() => 'done'), stuck])).toBe('done');
    opening.open();
    held.open();
  });
});
