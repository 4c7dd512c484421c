/** The device when things end or fail at the wrong moment. */

import { fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { GraphBuilder } from '../../../../scripts/convert/graph.mjs';
import { defaultConfig } from '../../../../src/config.ts';
import { root } from '../../../../src/lib/package-root.ts';
import { BatchTuning } from '../../../../src/pipeline/device/batch-tuning.ts';
import { Batcher } from '../../../../src/pipeline/device/batcher.ts';
import { Device } from '../../../../src/pipeline/device/device.ts';
import { DeviceClient } from '../../../../src/pipeline/device/device-client.ts';
import { DeviceHost } from '../../../../src/pipeline/device/device-host.ts';
import { DeviceModel } from '../../../../src/pipeline/device/device-model.ts';
import type { DeviceOptions } from '../../../../src/pipeline/device/device-protocol.ts';
import type { ModelSpec } from '../../../../src/pipeline/inference/model-device.ts';
import type { ModelSession } from '../../../../src/pipeline/inference/model-session.ts';
import { FaceOffError } from '../../../../src/shared/errors.ts';
import { killDevice } from '../../../support/crashes.ts';
import { Puppet } from '../../../support/puppet.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-endings-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

let count = 0;
function optionsOf(patch: Partial<DeviceOptions> = {}): DeviceOptions {
  return {
    address: path.join(folder, `${count++}.sock`),
    threads: 1,
    warmupRuns: 1,
    maxBatch: 8,
    tune: false,
    budgetMs: 1e6,
    inference: { ...defaultConfig().inference, provider: 'cpu' },
    cacheDir: folder,
    ...patch,
  };
}
async function device(patch: Partial<DeviceOptions> = {}): Promise<{ one: Device; address: string }> {
  const options = optionsOf(patch);
  const one = new Device(options, () => undefined);
  await one.listen();
  endings.push(() => one.close());
  return { one, address: options.address };
}
function lane(address: string): DeviceClient {
  const client = new DeviceClient({ address, yieldWhile: (wait) => wait });
  endings.push(() => client.close());
  return client;
}

/**
 * y = x for pictures of [n, 3, 4, 4], taking as many floats of memory meanwhile as the numbers add up to.
 * @param before so many floats are summed first, which takes about a millisecond a million.
 */
function hungry(name: string, before = 0): ModelSpec {
  const graph = new GraphBuilder();
  const x = graph.input('x', ['batch', 3, 4, 4]);
  const zeros = (count: string): string => {
    const shape = graph.node('Cast', [graph.node('Reshape', [count, graph.ints([1])])], { to: 7 });
    return graph.node('ReduceSum', [graph.node('ConstantOfShape', [shape])], { keepdims: 0 });
  };
  const sum = graph.node('ReduceSum', [x], { keepdims: 0 });
  const none = graph.node('Mul', [sum, graph.floats([0])]);
  const first = zeros(graph.node('Add', [none, graph.floats([before])]));
  graph.output(graph.node('Add', [x, zeros(graph.node('Add', [sum, first]))]), 'y', ['batch', 3, 4, 4]);
  const file = path.join(folder, `${name}.onnx`);
  writeFileSync(file, graph.bytes(name));
  const tensor = (called: string) => ({ name: called, shape: [1, 3, 4, 4], meaning: '' });
  const shape = { name, inputs: [tensor('x')], outputs: [tensor('y')] };
  return { file, sha256: null, shape, doubles: {}, scalars: {}, open: true };
}
/** More than any machine has. */
const TOO_MANY = 2 ** 44;

async function answers(session: ModelSession): Promise<void> {
  session.inputs.x!.fill(0).fill(0.25, 0, 1);
  await session.run();
  expect(session.outputs.y![0]).toBe(0.25);
}
const within = <T>(ms: number, wait: Promise<T>): Promise<T> =>
  Promise.race([
    wait,
    new Promise<never>((_, reject) => setTimeout(() => reject(new Error(`not within ${ms} ms`)), ms)),
  ]);
const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('a model on the device', () => {
  test('is open after it was closed and opened again at once', async () => {
    const { address } = await device();
    const client = lane(address);
    const spec = hungry('again');
    let session = await client.open(spec, {});
    for (let i = 0; i < 3; i++) {
      void session.close();
      session = await client.open(spec, {});
      await answers(session);
    }
  });

  test('does not deadlock when memory runs out while the last lane leaves', async () => {
    const closing = vi.spyOn(DeviceModel.prototype, 'close');
    endings.push(() => closing.mockRestore());
    const { one, address } = await device();
    const client = new DeviceClient({ address, yieldWhile: (wait) => wait });
    const session = await client.open(hungry('left', 5e7), {});
    session.inputs.x!.fill(0).fill(TOO_MANY, 0, 1);
    const run = session.run().catch((error: FaceOffError) => error.code);
    await later(10);
    client.close();
    expect(await run).toBe('device_lost');
    await expect.poll(() => one.report()?.ooms ?? 0, { timeout: 5000 }).toBeGreaterThan(0);
    await within(3000, one.close());
    expect(closing.mock.results.length).toBeGreaterThan(0);
    await within(3000, Promise.all(closing.mock.results.map(({ value }) => value)));
  });

  test('reports how large its batches may be', async () => {
    const { one, address } = await device();
    await answers(await lane(address).open(hungry('limits'), {}));
    expect(JSON.parse(JSON.stringify(one.report())).limits).toEqual({ limits: 8 });
  });

  test('is opened where its tuning cannot be stored', async () => {
    const cacheDir = path.join(folder, 'full');
    mkdirSync(cacheDir);
    writeFileSync(path.join(cacheDir, 'tuning'), 'no folder');
    const { address } = await device({ cacheDir, tune: true });
    await answers(await lane(address).open(hungry('kept'), {}));
  });

  test("frees the next provider's model when that does not run", async () => {
    const sound = { maxBatch: 1, inputs: {}, outputs: {}, provider: 'cpu', run: async () => undefined };
    const broken = { ...sound, run: () => Promise.reject(new FaceOffError('model_unusable', 'no')) };
    const closed: string[] = [];
    const held = (name: string, session: object) => ({
      session: session as never,
      cached: false,
      close: async () => void closed.push(name),
    });
    const opener = { openNow: async () => held('now', sound), openBetter: async () => held('better', broken) };
    const failures: unknown[] = [];
    const tuning = new BatchTuning(folder, 'test');
    const spec = hungry('moving');
    const hooks = { onBuildFailed: (error: unknown) => void failures.push(error) };
    const model = await DeviceModel.open(spec, { options: optionsOf(), opener: opener as never, tuning, hooks });
    await expect.poll(() => failures.length).toBe(1);
    expect(closed).toEqual(['better']);
    await model.close();
    expect(closed).toEqual(['better', 'now']);
  });
});

test('tuning of several models at once is stored for all of them', async () => {
  const cacheDir = path.join(folder, 'several');
  const tuning = new BatchTuning(cacheDir, 'test');
  const names = Array.from({ length: 10 }, (_, i) => `model ${i}`);
  await Promise.all(names.map((name, i) => tuning.save(name, 'cpu', { best: i + 1, loneMs: 1 })));
  const found = await Promise.all(names.map((name) => tuning.find(name, 'cpu')));
  expect(found.map((one) => one?.best)).toEqual(names.map((_, i) => i + 1));
});

test('a run that never ends fails all waiting requests with device_lost', async () => {
  const batcher = new Batcher(
    { run: () => new Promise(() => undefined), place: () => undefined, read: () => [] },
    { max: 1, start: 1, hungMs: 50 },
  );
  const ask = (deadlineMs = Infinity): Promise<string> =>
    new Promise((resolve) =>
      batcher.add({
        inputs: [],
        deadlineMs,
        done: () => resolve('done'),
        fail: (error) => resolve((error as FaceOffError).code),
      }),
    );
  expect(await within(2000, Promise.all([ask(), ask(), ask()]))).toEqual(Array(3).fill('device_lost'));
  expect(await ask()).toBe('device_lost');
  await within(1000, batcher.close());
});

describe('the device client', () => {
  test('learns soon that a model became faster, and slowly that it became slower', async () => {
    const puppet = new Puppet(path.join(folder, 'faster.sock'));
    await puppet.listen();
    endings.push(() => puppet.close());
    puppet.usualMs = 1000;
    const session = await lane(puppet.address).open(hungry('faster'), {});
    puppet.usualMs = 10;
    for (let i = 0; i < 5; i++) await session.run();
    expect(session.usualMs).toBeLessThan(50);
    puppet.usualMs = 1000;
    await session.run();
    expect(session.usualMs).toBeLessThan(150);
  });

  test('disconnects from a peer with another protocol and connects again', async () => {
    const puppet = new Puppet(path.join(folder, 'nonsense.sock'));
    await puppet.listen();
    endings.push(() => puppet.close());
    const client = lane(puppet.address);
    const session = await client.open(hungry('nonsense'), {});
    puppet.running = async () => puppet.shout('HTTP/1.1 400 Bad Request\r\n\r\n');
    await expect(session.run()).rejects.toMatchObject({ code: 'device_lost' });
    puppet.running = async () => undefined;
    await answers(await client.open(hungry('nonsense'), {}));
  });
});

describe('the device process', () => {
  test('ends when its parent is gone before it was up', async () => {
    const child = fork(path.join(root, 'dist/pipeline/device.js'), [JSON.stringify(optionsOf())], {
      execArgv: [],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    endings.push(() => child.kill('SIGKILL'));
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.disconnect();
    await within(8000, gone);
  });

  test('that is lost is told of, and started again', async () => {
    const lost: string[] = [];
    const onLost = (cause: string): void => void lost.push(cause);
    const host = new DeviceHost(optionsOf(), pino({ level: 'silent' }), { onReport: () => undefined, onLost });
    endings.push(() => host.close());
    host.start();
    killDevice();
    await expect.poll(() => host.restarts, { timeout: 10_000 }).toBe(1);
    expect(lost).toEqual(['The device process ended with SIGKILL and is started again.']);
  });

  test('is started again when it cannot be started, and its host closes without waiting for it', async () => {
    const lines: string[] = [];
    const log = pino({ level: 'warn' }, { write: (line: string) => lines.push(line) });
    const host = new DeviceHost(optionsOf(), log, { onReport: () => undefined });
    const { execPath } = process;
    process.execPath = path.join(folder, 'no-such-program');
    try {
      host.start();
      await later(600);
    } finally {
      process.execPath = execPath;
    }
    await within(2000, host.close());
    expect(lines.filter((line) => line.includes('cannot be started')).length).toBeGreaterThan(1);
  });
});
