/**
 * The stream starts on CUDA and moves to the TensorRT engine when that is built. Sessions, ladder and engines are played
 * here: no GPU is needed to see which one is called when.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defaultConfig } from '../../../../src/config.ts';
import { BatchTuning } from '../../../../src/pipeline/device/batch-tuning.ts';
import { DeviceModel, type ModelHooks } from '../../../../src/pipeline/device/device-model.ts';
import type { DeviceOptions } from '../../../../src/pipeline/device/device-protocol.ts';
import { ModelOpener } from '../../../../src/pipeline/device/model-opener.ts';
import type { ModelSpec } from '../../../../src/pipeline/inference/model-device.ts';
import type { NativeSession } from '../../../../src/pipeline/inference/native/native-session.ts';
import type { ProviderKind } from '../../../../src/pipeline/inference/native/providers.ts';
import type { EnginePlan } from '../../../../src/pipeline/inference/provider-ladder.ts';

let folder: string;
let file: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-opener-'));
  file = path.join(folder, 'model.onnx');
  writeFileSync(file, 'weights');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function deferred<T>() {
  let [resolve, reject]: [(value: T) => void, (error: unknown) => void] = [() => undefined, () => undefined];
  const promise = new Promise<T>((...both) => {
    [resolve, reject] = both;
  });
  return { promise, resolve, reject };
}

/** A machine with a card: sessions answer with what they run on, 1 for CUDA and 2 for TensorRT. */
function machine() {
  const open = new Set<ProviderKind>();
  const held: string[] = [];
  const build = deferred<EnginePlan>();
  let built: EnginePlan | null = null;
  const session = (provider: ProviderKind): NativeSession => {
    open.add(provider);
    const own = { inputs: { x: new Float32Array(4) }, outputs: { y: new Float32Array(4) } };
    return {
      name: 'model',
      provider,
      maxBatch: 4,
      ...own,
      async run() {
        if (!open.has(provider)) throw new Error(`${provider} was closed`);
        own.outputs.y.fill(provider === 'tensorrt' ? 2 : 1);
      },
      terminate: () => undefined,
      async close() {
        open.delete(provider);
      },
    };
  };
  const opener = new ModelOpener({
    ladder: {
      steps: ['tensorrt', 'cuda', 'cpu'],
      open: async (_spec, engine = null) => session(engine === null ? 'cuda' : 'tensorrt'),
    },
    engines: {
      findEngine: async () => built,
      buildEngine: async (_request, onProgress) => {
        onProgress?.({ attempt: 1, elapsedMs: 1000 });
        const plan = await build.promise;
        built = plan;
        return plan;
      },
      findOptimised: async () => null,
      buildOptimised: async () => '',
    },
    leases: {
      async hold(at) {
        held.push(at);
        return async () => void held.splice(held.indexOf(at), 1);
      },
    },
    threads: 1,
  });
  return { opener, open, held, finish: build.resolve, fail: build.reject };
}

const shape = {
  name: 'model',
  inputs: [{ name: 'x', shape: [1], meaning: '' }],
  outputs: [{ name: 'y', shape: [1], meaning: '' }],
};
const options: DeviceOptions = {
  address: '',
  threads: 1,
  warmupRuns: 1,
  maxBatch: 4,
  tune: false,
  budgetMs: 33,
  cacheDir: '',
  inference: defaultConfig().inference,
};

const openModel = (opener: ModelOpener, hooks: ModelHooks = {}): Promise<DeviceModel> => {
  const spec: ModelSpec = { file, sha256: null, shape, doubles: {}, scalars: {}, open: true };
  return DeviceModel.open(spec, { options, opener, tuning: new BatchTuning(folder, ''), hooks });
};
const ask = (model: DeviceModel): Promise<number> =>
  new Promise((resolve, reject) =>
    model.batcher.add({
      inputs: [Float32Array.of(0)],
      deadlineMs: Infinity,
      done: ([y]) => resolve(y![0]!),
      fail: reject,
    }),
  );

test('a stream begins on CUDA and moves to the engine without a picture lost', async () => {
  const { opener, open, held, finish } = machine();
  const told: unknown[] = [];
  const moved = deferred<string>();
  const model = await openModel(opener, { onMoved: moved.resolve, onBuild: (progress) => told.push(progress) });
  expect(model.provider).toBe('cuda');
  expect(await ask(model)).toBe(1);
  const answers: Promise<number>[] = [];
  const asking = setInterval(() => answers.push(ask(model)), 1);
  await new Promise((resolve) => setTimeout(resolve, 20));
  finish({ folder: path.join(folder, 'tensorrt', 'key') });
  expect(await moved.promise).toBe('tensorrt');
  clearInterval(asking);
  expect(await ask(model)).toBe(2);
  const all = await Promise.all(answers);
  expect(all.length).toBeGreaterThan(5);
  // Once on the engine it stays there.
  expect([...all].sort()).toEqual(all);
  expect([...open]).toEqual(['tensorrt']);
  expect(told).toEqual([{ attempt: 1, elapsedMs: 1000 }, null]);
  expect(held).toEqual(['tensorrt/key']);
  await model.close();
  expect([...open]).toEqual([]);
  expect(held).toEqual([]);
  // The next start finds it.
  const again = await openModel(opener);
  expect(again.provider).toBe('tensorrt');
  await again.close();
});

test('an engine that cannot be built leaves the stream on CUDA', async () => {
  const { opener, open, fail } = machine();
  const failed = deferred<unknown>();
  const model = await openModel(opener, { onBuildFailed: failed.resolve });
  fail(new Error('no kernel fits'));
  expect(String(await failed.promise)).toContain('no kernel fits');
  expect(await ask(model)).toBe(1);
  await model.close();
  expect([...open]).toEqual([]);
});

test('a model that was closed while its engine was built leaves nothing open', async () => {
  const { opener, open, held, finish } = machine();
  const model = await openModel(opener);
  await model.close();
  finish({ folder: path.join(folder, 'tensorrt', 'key') });
  await expect.poll(() => [...open, ...held]).toEqual([]);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect([...open, ...held]).toEqual([]);
});
