/** The neural engine in a lane: chosen per session and changed live, with mesh serving wherever it cannot. */

import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../../../../scripts/convert/graph.mjs';
import { FallbackSwapper } from '../../../../../src/pipeline/engines/fallback-swapper.ts';
import { EngineRegistry } from '../../../../../src/pipeline/engines/neural/engine-registry.ts';
import { GeneratorRunner } from '../../../../../src/pipeline/engines/neural/generator-runner.ts';
import type { NeuralEngine } from '../../../../../src/pipeline/engines/neural/neural-engine.ts';
import { RegionMask } from '../../../../../src/pipeline/engines/neural/paste-mask.ts';
import { Lane } from '../../../../../src/pipeline/lane/lane.ts';
import { laneOptions } from '../../../../../src/pipeline/pool/lane-options.ts';
import type { LaneOptions } from '../../../../../src/pipeline/pool/lane-protocol.ts';
import { Pool } from '../../../../../src/pipeline/pool/pool.ts';
import { FaceOffError } from '../../../../../src/shared/errors.ts';
import type { Frame } from '../../../../../src/shared/types.ts';
import { astronaut, copyFrame, cutFrame, group, readFrame } from '../../../../support/lane.ts';
import { placed, softFrame } from '../../../../support/painted-face.ts';
import { patchedConfig, until } from '../../../../support/server.ts';
import { swapSettings } from '../../../../support/settings.ts';
import { type StandIns, standIns } from '../../../../support/stand-ins.ts';

const PART = { left: 1400, top: 130, width: 460, height: 345 };
const settings = swapSettings();

let camera: Frame;
let picture: Frame;
let models: StandIns;
beforeAll(async () => {
  camera = await cutFrame(group, PART, 640, 480);
  picture = await readFrame(astronaut);
  models = standIns();
});
afterAll(() => models.remove());

let lanes: Lane[] = [];
let faults: FaceOffError[] = [];
afterEach(async () => {
  for (const lane of lanes) await lane.end();
  lanes = [];
  faults = [];
});

async function start(patch: Partial<LaneOptions> = {}): Promise<Lane> {
  const options = laneOptions(patchedConfig({ models: { dir: models.folder, warmupRuns: 0 } }));
  const lane = await Lane.start({ ...options, budgetMs: Infinity, ...patch }, (error) =>
    faults.push(error as FaceOffError),
  );
  lanes.push(lane);
  const [face] = await lane.analyse(copyFrame(picture));
  const portraits = [{ picture, points: face!.points }];
  await lane.take('source', await lane.enrol(portraits));
  for (const engine of ['inswapper_128', 'ghost_1_256'])
    await lane.takeFor(engine, 'source', await lane.enrolFor(engine, portraits));
  return lane;
}

/** How much of the middle of the face changed: mesh changes it all, an identity stand-in hardly any. */
function change(after: Frame): number {
  let sum = 0;
  for (let y = 180; y < 330; y++)
    for (let x = 220; x < 380; x++) sum += Math.abs(after.data[y * 640 + x]! - camera.data[y * 640 + x]!);
  return sum / (150 * 160);
}
const MESH_CHANGES = 8;

describe('a session', () => {
  test('uses the configured engine from the first frame', async () => {
    const lane = await start({ engine: 'inswapper_128' });
    await lane.open('a', { ...settings, engine: 'inswapper_128' });
    const { frame, result, stagesMs } = await lane.swap('a', copyFrame(camera));
    expect(result).toBe('swapped');
    expect(stagesMs.swap).toBeGreaterThan(0);
    expect(change(frame)).toBeLessThan(MESH_CHANGES / 2);
    expect(frame.data).not.toEqual(camera.data);
    expect(faults).toEqual([]);
  });

  test('changes its engine live, with mesh until the new one is ready', async () => {
    const lane = await start();
    await lane.open('a', settings);
    expect(change((await lane.swap('a', copyFrame(camera))).frame)).toBeGreaterThan(MESH_CHANGES);
    await lane.set('a', { ...settings, engine: 'ghost_1_256' });
    // It is opened in the background by the first frame that wants it.
    expect(change((await lane.swap('a', copyFrame(camera))).frame)).toBeGreaterThan(MESH_CHANGES);
    const byGenerator = async (): Promise<boolean> =>
      change((await lane.swap('a', copyFrame(camera))).frame) < MESH_CHANGES / 2;
    await until(byGenerator, 'the generator');
    await lane.set('a', settings);
    expect(change((await lane.swap('a', copyFrame(camera))).frame)).toBeGreaterThan(MESH_CHANGES);
    expect(faults).toEqual([]);
  });

  test("is served by mesh when the model's file is wrong, reported once", async () => {
    const broken = standIns();
    try {
      writeFileSync(path.join(broken.folder, 'optional/ghost_1_256.onnx'), 'nonsense');
      const lane = await start({ modelsDir: broken.folder, engine: 'ghost_1_256' });
      await lane.open('a', { ...settings, engine: 'ghost_1_256' });
      for (let i = 0; i < 3; i++) {
        const { frame, result } = await lane.swap('a', copyFrame(camera));
        expect(result).toBe('swapped');
        expect(change(frame)).toBeGreaterThan(MESH_CHANGES);
      }
      expect(faults).toMatchObject([
        { code: 'engine_failed', message: expect.stringMatching(/ghost_1_256.*mesh serves/) },
      ]);
    } finally {
      broken.remove();
    }
  });

  test("is served by mesh without the face in the engine's own form", async () => {
    const lane = await start({ engine: 'hyperswap_1a_256' });
    await lane.open('a', { ...settings, engine: 'hyperswap_1a_256' });
    expect(change((await lane.swap('a', copyFrame(camera))).frame)).toBeGreaterThan(MESH_CHANGES);
  });

  test('restores swapped faces in a stage of its own', async () => {
    const lane = await start({ restorer: 'gfpgan_1.4', restoreBlend: 1 });
    await lane.open('a', settings);
    const { stagesMs, result } = await lane.swap('a', copyFrame(camera));
    expect(result).toBe('swapped');
    expect(stagesMs.restore).toBeGreaterThan(0);
    expect(faults).toEqual([]);
  });

  test('continues without an unusable restorer', async () => {
    const lane = await start({ restorer: 'no_such_model' });
    expect(faults).toMatchObject([{ code: 'unknown_model' }]);
    await lane.open('a', settings);
    expect((await lane.swap('a', copyFrame(camera))).result).toBe('swapped');
  });
});

test.each(['xseg_3', 'bisenet_resnet_34'])('what %s says is no face stays as it was', async (name) => {
  const frame = softFrame(640, 480);
  const { points } = placed('arcface_128', { side: 230, x: 310, y: 235, angle: 0.2 });
  // A very green hand over the right half of the face; the stand-in takes green for what covers.
  paintGreen(frame, 320);
  const options = { threads: 1, warmupRuns: 0, maxPixels: 640 * 480, boost: 1 };
  const painter = await GeneratorRunner.open(
    models.catalogue,
    models.catalogue.named('inswapper_128', 'generator'),
    options,
  );
  const mask = await RegionMask.open(models.catalogue, models.catalogue.named(name, 'masker'), 640 * 480, options);
  const before = copyFrame(frame);
  // Colours far from the live ones show where it was pasted.
  await painter.paint(frame, points, { source: new Float32Array(512), strength: 1, colour: 0, mask });
  const changed = (from: number, to: number): number => {
    let count = 0;
    for (let y = 200; y < 280; y++)
      for (let x = from; x < to; x++) count += frame.data[y * 640 + x] !== before.data[y * 640 + x] ? 1 : 0;
    return count;
  };
  expect(changed(332, 400)).toBe(0);
  expect(changed(230, 316)).toBeGreaterThan(100);
  await painter.close();
  await mask.close();
});

test('a model of batch size one runs the tiles of a boost one after another', async () => {
  const fixed = standIns(['hyperswap_1b_256']);
  const { catalogue } = fixed;
  const graph = new GraphBuilder();
  const target = graph.input('target', [1, 3, 256, 256]);
  graph.input('source', [1, 512]);
  graph.output(target, 'out', [1, 3, 256, 256]);
  writeFileSync(path.join(fixed.folder, 'optional/hyperswap_1b_256.onnx'), graph.bytes('fixed'));
  const options = { threads: 1, warmupRuns: 0, maxPixels: 640 * 480, boost: 2 };
  const painter = await GeneratorRunner.open(catalogue, catalogue.named('hyperswap_1b_256', 'generator'), options);
  const { points, five } = placed('arcface_128', { side: 230, x: 310, y: 235, angle: 0.2 });
  const frame = softFrame(640, 480, five);
  const before = copyFrame(frame);
  await painter.paint(frame, points, { source: new Float32Array(512), strength: 1, colour: 0 });
  expect(painter.side).toBe(512);
  expect(frame.data.every((value, i) => Math.abs(value - before.data[i]!) < 8)).toBe(true);
  expect(frame.data).not.toEqual(before.data);
  await painter.close();
  fixed.remove();
});

function paintGreen({ width, height, data }: Frame, from: number): void {
  const [cw, ch] = [width / 2, height / 2];
  for (let y = 0; y < height; y++) data.fill(200, y * width + from, (y + 1) * width);
  for (let y = 0; y < ch; y++) {
    data.fill(60, width * height + y * cw + from / 2, width * height + (y + 1) * cw);
    data.fill(60, width * height + cw * ch + y * cw + from / 2, width * height + cw * ch + (y + 1) * cw);
  }
}

describe('the fallback swapper', () => {
  const swapper = (log: string[], name: string, fails = false) => ({
    swap: () => {
      log.push(name);
      if (fails) throw new Error('no memory');
    },
    close: () => log.push(`${name} closed`),
  });
  const call = (served: FallbackSwapper) => {
    served.waits();
    return served.swap(null as never, null as never, null as never);
  };
  function served(log: string[], failures: unknown[], first: () => ReturnType<typeof swapper> | null) {
    const onFailure = (error: unknown) => failures.push(error);
    return new FallbackSwapper({
      primary: () => {
        const now = first();
        return now === null ? null : { swapper: now as never, onFailure };
      },
      fallback: swapper(log, 'mesh') as never,
      reload: () => {
        log.push('loaded again');
        return null as never;
      },
    });
  }

  test('serves where the first is not ready or fails', async () => {
    const log: string[] = [];
    const failures: unknown[] = [];
    let first: ReturnType<typeof swapper> | null = null;
    const both = served(log, failures, () => first);
    await call(both);
    first = swapper(log, 'neural');
    await call(both);
    first = swapper(log, 'broken', true);
    await call(both);
    both.close();
    expect(log).toEqual(['mesh', 'neural', 'broken', 'loaded again', 'mesh', 'mesh closed']);
    expect(failures).toHaveLength(1);
  });

  test("does not step in for a generator that was ready when asked, as the lane's memory has changed by then", async () => {
    const log: string[] = [];
    // One that is too slow gets a frame now and then, and is at rest again as soon as it was asked.
    let asked = 0;
    const both = served(log, [], () => (asked++ === 0 ? swapper(log, 'neural') : null));
    await call(both);
    expect(log).toEqual(['neural']);
  });
});

describe('the engine registry', () => {
  function fake(fails: () => boolean) {
    const engine = {
      ready: false,
      usualMs: 0,
      opened: 0,
      closed: 0,
      open: async () => {
        engine.opened++;
        if (fails()) throw new Error('not today');
        engine.ready = true;
      },
      close: async () => {
        engine.closed++;
      },
    };
    return engine;
  }

  test('opens a failed engine again after a rest and reports each failure once', async () => {
    let [now, failing] = [0, true];
    const engine = fake(() => failing);
    const told: unknown[] = [];
    const registry = new EngineRegistry(
      () => engine as unknown as NeuralEngine,
      (error) => told.push(error),
      { now: () => now },
    );
    await Promise.all([registry.open('a'), registry.open('a')]);
    expect(told).toHaveLength(1);
    expect(registry.ready('a')).toBeNull();
    expect(engine.opened).toBeLessThanOrEqual(2);
    const before = engine.opened;
    now = 5000;
    registry.ready('a');
    expect(engine.opened).toBe(before);
    now = 20_000;
    failing = false;
    registry.ready('a');
    await Promise.resolve();
    expect(registry.ready('a')).toBe(engine);
    registry.markFailed('a', new Error('in a run'), engine as unknown as NeuralEngine);
    expect(registry.ready('a')).toBeNull();
    expect(told).toHaveLength(2);
  });

  test('keeps a reopened engine whatever its predecessor still fails at', async () => {
    const engines = [fake(() => false), fake(() => false)] as const;
    const asEngine = (i: 0 | 1) => engines[i] as unknown as NeuralEngine;
    let made = 0;
    const told: unknown[] = [];
    const registry = new EngineRegistry(
      () => asEngine(made++ as 0 | 1),
      (error) => told.push(error),
    );
    await registry.open('a');
    const lost = new FaceOffError('device_lost', 'gone');
    registry.markFailed('a', lost, asEngine(0));
    expect(engines[0].closed).toBe(1);
    registry.ready('a');
    registry.markFailed('a', lost, asEngine(0));
    await Promise.resolve();
    expect(registry.ready('a')).toBe(asEngine(1));
    expect(told).toHaveLength(1);
  });

  test('closes unused engines', async () => {
    const engine = fake(() => false);
    const registry = new EngineRegistry(
      () => engine as unknown as NeuralEngine,
      () => undefined,
    );
    await registry.open('a');
    await registry.closeExcept(new Set(['a']));
    expect(engine.closed).toBe(0);
    await registry.closeExcept(new Set(['b']));
    expect(engine.closed).toBe(1);
    await registry.close();
    expect(engine.closed).toBe(1);
  });
});

describe('the pool', () => {
  const silent = pino({ level: 'silent' });
  const config = (patch: object) =>
    patchedConfig({ models: { dir: models.folder, warmupRuns: 0 }, pipeline: { lanes: 1 }, ...patch });

  test('refuses an unknown model at start and names the known ones', async () => {
    await expect(Pool.start(config({ swap: { engine: 'magic' } }), silent)).rejects.toThrow(
      /swap\.engine: There is no generator "magic"\. Those there are: inswapper_128, /,
    );
    await expect(Pool.start(config({ restoration: { model: 'inswapper_128' } }), silent)).rejects.toThrow(
      /no restorer/,
    );
  });

  test('starts without the configured engine where its file is missing, and reports it', async () => {
    const lines: string[] = [];
    const log = pino({ level: 'warn' }, { write: (line: string) => lines.push(line) });
    const none = standIns([]);
    const pool = await Pool.start(
      config({ models: { dir: none.folder, warmupRuns: 0 }, swap: { engine: 'ghost_1_256' } }),
      log,
    );
    await pool.close();
    none.remove();
    expect(lines.join()).toMatch(
      /ghost_1_256 cannot be used, mesh serves: .*faceoff models fetch ghost_1_256.*served without/,
    );
  });

  test('refuses an unknown or missing engine, and prepares faces for the others', async () => {
    const some = standIns(['inswapper_128', 'arcface_w600k_r50']);
    const pool = await Pool.start(config({ models: { dir: some.folder, warmupRuns: 0 } }), silent, { deadline: false });
    try {
      const [face] = await pool.analyse(copyFrame(picture));
      pool.offer('mine', async () => [{ picture, points: face!.points }]);
      const session = pool.open('s', { face: 'mine' });
      expect(() => session.set({ engine: 'magic' })).toThrow(/no generator "magic"/);
      expect(() => session.set({ engine: 'ghost_1_256' })).toThrow(/faceoff models fetch ghost_1_256/);
      expect(session.settings.engine).toBe('mesh');
      session.set({ engine: 'inswapper_128' });
      await until(async () => {
        const { frame, result } = await session.swap(copyFrame(camera));
        return result === 'swapped' && change(frame) < MESH_CHANGES / 2;
      }, 'the generator');
      rmSync(path.join(some.folder, 'optional/inswapper_128.onnx'));
      expect(() => pool.open('t', { engine: 'inswapper_128' })).toThrow(/is not on this machine/);
    } finally {
      await pool.close();
      some.remove();
    }
  });
});
