/** The device with stand-ins for models: shared by lanes, batched, killed, short of memory. */

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../../../scripts/convert/graph.mjs';
import { CacheLeases } from '../../../../src/cache/leases.ts';
import { defaultConfig } from '../../../../src/config.ts';
import { Device } from '../../../../src/pipeline/device/device.ts';
import { DeviceClient } from '../../../../src/pipeline/device/device-client.ts';
import type { DeviceOptions, DeviceReport } from '../../../../src/pipeline/device/device-protocol.ts';
import { ModelOpener } from '../../../../src/pipeline/device/model-opener.ts';
import { GeneratorRunner } from '../../../../src/pipeline/engines/neural/generator-runner.ts';
import type { ModelSpec } from '../../../../src/pipeline/inference/model-device.ts';
import { probeProviders } from '../../../../src/pipeline/inference/native/provider-probe.ts';
import { ProviderLadder } from '../../../../src/pipeline/inference/provider-ladder.ts';
import { TensorRTCache } from '../../../../src/pipeline/inference/tensorrt-cache.ts';
import { digestOf } from '../../../../src/pipeline/models/model-store.ts';
import { Pool } from '../../../../src/pipeline/pool/pool.ts';
import type { Frame } from '../../../../src/shared/types.ts';
import { killDevice } from '../../../support/crashes.ts';
import { astronaut, copyFrame, cutFrame, group, readFrame } from '../../../support/lane.ts';
import { placed } from '../../../support/painted-face.ts';
import { patchedConfig, until } from '../../../support/server.ts';
import { type StandIns, standIns } from '../../../support/stand-ins.ts';

let models: StandIns;
let folder: string;
beforeAll(() => {
  models = standIns();
  folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-device-test-'));
});
afterAll(() => {
  models.remove();
  rmSync(folder, { recursive: true, force: true });
});

const PART = { left: 1400, top: 130, width: 460, height: 345 };
const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

let count = 0;
async function device(patch: Partial<DeviceOptions> = {}) {
  const address = path.join(folder, `${count++}.sock`);
  const one = new Device(
    {
      address,
      threads: 1,
      warmupRuns: 1,
      maxBatch: 8,
      tune: false,
      budgetMs: 1e6,
      inference: defaultConfig().inference,
      cacheDir: folder,
      ...patch,
    },
    () => undefined,
  );
  await one.listen();
  endings.push(() => one.close());
  return { one, address };
}
function lane(address: string): DeviceClient {
  const client = new DeviceClient({ address, yieldWhile: (wait) => wait });
  endings.push(() => client.close());
  return client;
}

/** A model of ours: y = 2 x for pictures of [n, 3, 4, 4]. */
function doubling(file: string): ModelSpec {
  const graph = new GraphBuilder();
  const x = graph.input('x', ['batch', 3, 4, 4]);
  graph.output(graph.node('Add', [x, x]), 'y', ['batch', 3, 4, 4]);
  writeFileSync(file, graph.bytes('doubling'));
  const tensor = (name: string) => ({ name, shape: [1, 3, 4, 4], meaning: '' });
  const shape = { name: 'doubling', inputs: [tensor('x')], outputs: [tensor('y')] };
  return { file, sha256: null, shape, doubles: {}, scalars: {}, open: true };
}

describe('a session on the device', () => {
  test('gives exactly the result of a session in the lane', async () => {
    const { address } = await device();
    const entry = models.catalogue.named('hyperswap_1a_256', 'generator');
    const options = { threads: 1, warmupRuns: 0, maxPixels: 640 * 480, boost: 2 };
    const { points } = placed('arcface_128', { side: 200, x: 320, y: 240, angle: 0.2 });
    const strokes = { source: new Float32Array(512).fill(0.1), strength: 1, colour: 1 };
    const before = await cutFrame(group, PART, 640, 480);
    const pictures: Frame[] = [];
    for (const where of [null, lane(address)]) {
      const painter = await GeneratorRunner.open(models.catalogue, entry, { ...options, device: where });
      const frame = copyFrame(before);
      await painter.paint(frame, points, strokes);
      await painter.close();
      pictures.push(frame);
    }
    expect(pictures[1]!.data).toEqual(pictures[0]!.data);
    expect(pictures[0]!.data).not.toEqual(before.data);
  });

  test('gets its own answers among concurrent requests', async () => {
    const { one, address } = await device();
    const spec = doubling(path.join(folder, 'double.onnx'));
    const lanes = [lane(address), lane(address), lane(address)];
    const sessions = await Promise.all(counted(24).map((i) => lanes[i % 3]!.open(spec, {})));
    await Promise.all(
      sessions.map(async (session, i) => {
        for (let round = 0; round < 20; round++) {
          session.inputs.x!.fill(i + round / 100);
          await session.run();
          expect(session.outputs.y![5]).toBeCloseTo(2 * (i + round / 100), 5);
        }
      }),
    );
    const { batches } = one.report()!;
    expect(batches.reduce((sum, { size }) => sum + size, 0)).toBe(480);
    expect(Math.max(...batches.map(({ size }) => size))).toBeGreaterThan(1);
  });

  test('remembers the best batch size over restarts', async () => {
    const spec = doubling(path.join(folder, 'remember.onnx'));
    const first = await device({ cacheDir: path.join(folder, 'fresh'), tune: true });
    expect(await loadOf(lane(first.address), spec)).toBe(false);
    const second = await device({ cacheDir: path.join(folder, 'fresh'), tune: true });
    expect(await loadOf(lane(second.address), spec)).toBe(true);
    writeFileSync(path.join(folder, 'fresh/tuning/batches.json'), '{"broken');
    const third = await device({ cacheDir: path.join(folder, 'fresh'), tune: true });
    expect(await loadOf(lane(third.address), spec)).toBe(false);
  });

  test('of a large model stores the optimised graph and opens that the next time', async () => {
    const cacheDir = path.join(folder, 'kept');
    const entry = models.catalogue.named('inswapper_128', 'generator');
    const opener = () => {
      const machine = probeProviders(cacheDir);
      const settings = { ...defaultConfig().inference, provider: 'cpu' as const };
      const engines = new TensorRTCache({ cacheDir, settings, folder: machine.folder });
      const ladder = new ProviderLadder(settings, machine, () => undefined);
      return new ModelOpener({ ladder, engines, leases: new CacheLeases(cacheDir), threads: 1, optimiseAboveMs: 0 });
    };
    const file = models.catalogue.fileOf(entry);
    const picture = (name: string) => ({ name, shape: [1, 3, 128, 128] });
    const inputs = [picture('target'), { name: 'source', shape: [1, 512] }];
    const request = { name: entry.name, file, sha256: await digestOf(file), inputs, outputs: [picture('painted')] };
    const first = await opener().openNow(request);
    expect(first.cached).toBe(false);
    const told: unknown[] = [];
    expect(await opener().openBetter(request, first, 1, (progress) => told.push(progress))).toBeNull();
    expect(told.at(-1)).toBeNull();
    const second = await opener().openNow(request);
    expect(second.cached).toBe(true);
    for (const { session } of [first, second]) {
      session.inputs.target!.forEach((_, i, all) => {
        all[i] = Math.sin(i);
      });
      session.inputs.source!.fill(0.1);
      await session.run();
    }
    expect(second.session.outputs.painted).toEqual(first.session.outputs.painted);
    await first.close();
    await second.close();
    // Something else than what was built is no loss.
    for (const name of readdirSync(path.join(cacheDir, 'optimised')))
      writeFileSync(path.join(cacheDir, 'optimised', name, 'model.onnx'), 'broken');
    const third = await opener().openNow(request);
    expect(third.cached).toBe(false);
    await third.close();
  });

  test('reports what is wrong with its model', async () => {
    const { address } = await device();
    const spec = doubling(path.join(folder, 'wrong.onnx'));
    await expect(lane(address).open({ ...spec, sha256: '0'.repeat(64) }, {})).rejects.toMatchObject({
      code: 'model_differs',
    });
    await expect(lane(address).open({ ...spec, file: '/nowhere.onnx' }, {})).rejects.toMatchObject({
      code: 'model_missing',
    });
    writeFileSync(spec.file, 'nonsense');
    await expect(lane(address).open(spec, {})).rejects.toMatchObject({ code: 'model_unusable' });
    // And one that is well again is opened.
    await (await lane(address).open(doubling(spec.file), {})).run();
  });

  test("is not awaited beyond the frame's deadline", async () => {
    const { address } = await device();
    const session = await lane(address).open(doubling(path.join(folder, 'late.onnx')), {});
    await expect(session.run({ deadlineMs: performance.now() - 1 })).rejects.toMatchObject({ code: 'too_late' });
    await session.run({ deadlineMs: performance.now() + 5000 });
    await session.close();
    await expect(session.run()).rejects.toMatchObject({ code: 'model_closed' });
  });
});

test('a missing device is awaited, then reported', async () => {
  const client = lane(path.join(folder, 'nobody.sock'));
  const opening = client.open(doubling(path.join(folder, 'nobody.onnx')), {});
  client.close();
  await expect(opening).rejects.toMatchObject({ code: 'device_lost' });
});

test('the device disconnects clients with another protocol', async () => {
  const { address } = await device();
  const socket = connect(address);
  socket.on('error', () => undefined);
  const gone = new Promise((resolve) => socket.once('close', resolve));
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await gone;
  await (await lane(address).open(doubling(path.join(folder, 'well.onnx')), {})).run();
});

/** The same picture, just come. */
const now = (frame: Frame): Frame => ({ ...copyFrame(frame), receivedAtMs: performance.now() });
const counted = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

async function loadOf(client: DeviceClient, spec: ModelSpec): Promise<boolean> {
  const { cached } = await client.open(spec, {});
  return cached === true;
}

describe('in a pool', () => {
  let pool: Pool;
  let camera: Frame;
  let reports: DeviceReport[] = [];

  async function start(patch: object = {}) {
    camera = await cutFrame(group, PART, 640, 480);
    const picture = await readFrame(astronaut);
    reports = [];
    const config = patchedConfig({
      models: { dir: models.folder, warmupRuns: 1, cacheDir: folder },
      pipeline: { lanes: 1, budgetMs: 1000 },
      swap: { engine: 'inswapper_128' },
      ...patch,
    });
    pool = await Pool.start(config, pino({ level: 'silent' }), { onDevice: (report) => reports.push(report) });
    endings.push(() => pool.close());
    const [face] = await pool.analyse(copyFrame(picture));
    pool.offer('mine', async () => [{ picture, points: face!.points }]);
    await pool.preload('mine');
  }

  /** How much of the middle of the face changed: mesh changes it all, an identity stand-in hardly any. */
  function painted(after: Frame): 'by the generator' | 'by mesh' {
    let sum = 0;
    for (let y = 180; y < 330; y++)
      for (let x = 220; x < 380; x++) sum += Math.abs(after.data[y * 640 + x]! - camera.data[y * 640 + x]!);
    return sum / (150 * 160) < 4 ? 'by the generator' : 'by mesh';
  }

  test('streams of one lane run concurrently on the device', async () => {
    await start();
    const sessions = counted(4).map((i) => pool.open(`s${i}`, { face: 'mine' }));
    for (let round = 0; round < 10; round++) {
      const frames = await Promise.all(sessions.map((session) => session.swap(now(camera))));
      for (const { result, frame } of frames) {
        expect(result).toBe('swapped');
        if (round > 0) expect(painted(frame)).toBe('by the generator');
      }
    }
    const pictures = () => reports.flatMap(({ batches }) => batches).reduce((sum, { size }) => sum + size, 0);
    await expect.poll(pictures, { timeout: 3000 }).toBeGreaterThanOrEqual(36);
  });

  test('a killed device costs no frame and serves again', async () => {
    await start();
    const session = pool.open('s', { face: 'mine' });
    const next = async () => session.swap(now(camera));
    await next();
    expect(painted((await next()).frame)).toBe('by the generator');
    killDevice();
    const killedAtMs = performance.now();
    const seen: string[] = [];
    const isBack = async (): Promise<boolean> => {
      const { result, frame } = await next();
      expect(result).toBe('swapped');
      seen.push(painted(frame));
      return seen.includes('by mesh') && seen.at(-1) === 'by the generator';
    };
    await until(isBack, 'the generator to paint again', 20_000);
    console.log(`painted again ${Math.round(performance.now() - killedAtMs)} ms after the device was killed`);
  });
});
