/**
 * Memory that really runs out: ONNX Runtime in a process that may have only so much address space. Linux can limit a
 * process so; elsewhere these tests are left out.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { GraphBuilder } from '../../../../scripts/convert/graph.mjs';
import { defaultConfig } from '../../../../src/config.ts';
import { root } from '../../../../src/lib/package-root.ts';
import { DeviceClient } from '../../../../src/pipeline/device/device-client.ts';
import type { DeviceOptions, DeviceReport } from '../../../../src/pipeline/device/device-protocol.ts';
import type { ModelSpec } from '../../../../src/pipeline/inference/model-device.ts';
import type { ModelSession } from '../../../../src/pipeline/inference/model-session.ts';

/** Address space of the device process: what it takes itself and about 1.5 GiB more. */
const LIMIT_KIB = 3_000_000;
const FLOATS_PER_MIB = 262_144;
const linux = process.platform === 'linux';

let folder: string;
let child: ChildProcess;
let client: DeviceClient;
const reports: DeviceReport[] = [];

beforeAll(async () => {
  if (!linux) return;
  folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-memory-'));
  const limited = path.join(folder, 'limited.sh');
  writeFileSync(limited, `#!/bin/sh\nulimit -v ${LIMIT_KIB}\nexec "${process.execPath}" "$@"\n`);
  chmodSync(limited, 0o700);
  const address = path.join(folder, 'device.sock');
  const options: DeviceOptions = {
    address,
    threads: 1,
    warmupRuns: 1,
    maxBatch: 8,
    tune: false,
    budgetMs: 1e6,
    inference: defaultConfig().inference,
    cacheDir: folder,
  };
  child = fork(path.join(root, 'dist/pipeline/device.js'), [JSON.stringify(options)], {
    execPath: limited,
    execArgv: [],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  child.on('message', (message) => {
    if (message !== 'ready') reports.push(message as DeviceReport);
  });
  client = new DeviceClient({ address, yieldWhile: (wait) => wait });
});
afterAll(() => {
  client?.close();
  child?.kill('SIGKILL');
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

/** A model that takes as much memory as the numbers that it is given add up to. */
function hungry(): ModelSpec {
  const graph = new GraphBuilder();
  const x = graph.input('x', ['batch', 3, 4, 4]);
  const sum = graph.node('ReduceSum', [x], { keepdims: 0 });
  const count = graph.node('Cast', [graph.node('Reshape', [sum, graph.ints([1])])], { to: 7 });
  const nothing = graph.node('ReduceSum', [graph.node('ConstantOfShape', [count])], { keepdims: 0 });
  graph.output(graph.node('Add', [x, nothing]), 'y', ['batch', 3, 4, 4]);
  const file = path.join(folder, 'hungry.onnx');
  writeFileSync(file, graph.bytes('hungry'));
  const tensor = (name: string) => ({ name, shape: [1, 3, 4, 4], meaning: '' });
  const shape = { name: 'hungry', inputs: [tensor('x')], outputs: [tensor('y')] };
  return { file, sha256: null, shape, doubles: {}, scalars: {}, open: true };
}

/** Asks for so many MiB; the code of the error, or 'ok'. */
async function ask(session: ModelSession, mib: number): Promise<string> {
  session.inputs.x!.fill(0);
  session.inputs.x![0] = mib * FLOATS_PER_MIB;
  session.inputs.x![1] = 0.5;
  try {
    await session.run();
    return session.outputs.y![1] === 0.5 ? 'ok' : 'wrong';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

/** Forgets what was reported so far; the device does so once a second. */
async function reported(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 1200));
  reports.length = 0;
}

const rssMib = (): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))![1]) / 1024;

test.skipIf(!linux)('batches are halved until they fit, without an error, and grow again', async () => {
  const sessions = await Promise.all(Array.from({ length: 8 }, () => client.open(hungry(), {})));
  const all = (mib: number) => Promise.all(sessions.map((session) => ask(session, mib)));
  // Light work, until all eight go into one run.
  const largest = () => Math.max(0, ...reports.flatMap(({ batches }) => batches).map(({ size }) => size));
  await expect.poll(async () => (await all(0.001)) && largest(), { timeout: 20_000, interval: 5 }).toBe(8);

  // Six of them are more than there is; four are not.
  await reported();
  expect(await all(330)).toEqual(sessions.map(() => 'ok'));
  await expect.poll(() => reports.reduce((sum, { ooms }) => sum + ooms, 0), { timeout: 3000 }).toBeGreaterThan(0);
  expect(largest()).toBeLessThan(6);

  await reported();
  await expect.poll(async () => (await all(0.001)) && largest(), { timeout: 20_000, interval: 5 }).toBe(8);
});

test.skipIf(!linux)(
  'a request that never fits fails with out_of_memory five hundred times and leaks nothing',
  async () => {
    const session = await client.open(hungry(), {});
    for (let i = 0; i < 20; i++) expect(await ask(session, 4000)).toBe('out_of_memory');
    const before = rssMib();
    for (let i = 0; i < 500; i++) expect(await ask(session, 4000)).toBe('out_of_memory');
    expect(await ask(session, 1)).toBe('ok');
    console.log(
      `memory of the device ${Math.round(before)} → ${Math.round(rssMib())} MiB after 500 times without memory`,
    );
    expect(rssMib() - before).toBeLessThan(20);
  },
);

/** A model that holds so many MiB as long as it is open. */
function heavy(mib: number): ModelSpec {
  const name = `heavy ${mib}`;
  const graph = new GraphBuilder();
  const x = graph.input('x', ['batch', 3, 4, 4]);
  const weights = graph.node('ConstantOfShape', [graph.ints([mib * FLOATS_PER_MIB])]);
  // Which of them is looked up depends on the input, so none can be left out.
  const none = graph.node('Mul', [graph.node('ReduceSum', [x], { keepdims: 0 }), graph.floats([0])]);
  const one = graph.node('Gather', [weights, graph.node('Cast', [none], { to: 7 })]);
  graph.output(graph.node('Add', [x, one]), 'y', ['batch', 3, 4, 4]);
  const file = path.join(folder, `${mib}.onnx`);
  writeFileSync(file, graph.bytes(name));
  const tensor = (called: string) => ({ name: called, shape: [1, 3, 4, 4], meaning: '' });
  const shape = { name, inputs: [tensor('x')], outputs: [tensor('y')] };
  return { file, sha256: null, shape, doubles: {}, scalars: {}, open: true };
}

test.skipIf(!linux)('a model that fits only without an unused one is opened', async () => {
  for (const mib of [500, 510, 520, 530, 540]) {
    const session = await client.open(heavy(mib), {});
    expect(rssMib()).toBeGreaterThan(mib);
    await session.close();
  }
});
