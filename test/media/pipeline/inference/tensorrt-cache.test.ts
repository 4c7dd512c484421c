import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { defaultConfig } from '../../../../src/config.ts';
import { Artefacts, keyOf } from '../../../../src/pipeline/inference/artefacts.ts';
import { type BuildJob, buildInChild, type EngineRequest } from '../../../../src/pipeline/inference/build-child.ts';
import type { GpuVersions } from '../../../../src/pipeline/inference/native/gpu-versions.ts';
import { openNative } from '../../../../src/pipeline/inference/native/native-session.ts';
import { bundledFolder } from '../../../../src/pipeline/inference/native/ort-api.ts';
import { type EngineCacheOptions, TensorRTCache } from '../../../../src/pipeline/inference/tensorrt-cache.ts';
import { digestOf } from '../../../../src/pipeline/models/model-store.ts';
import { FaceOffError } from '../../../../src/shared/errors.ts';
import { convolutions } from '../../../support/graphs.ts';

let cacheDir: string;
beforeEach(() => {
  cacheDir = mkdtempSync(path.join(os.tmpdir(), 'faceoff-engines-'));
});
afterEach(() => rmSync(cacheDir, { recursive: true, force: true }));

const versions: GpuVersions = {
  gpu: 'Card',
  capability: '8.9',
  driver: '580.1',
  cuda: '13000',
  tensorrt: '101500',
  runtime: '1.29.0',
};
const { inference } = defaultConfig();
const request: EngineRequest = {
  name: 'swap',
  file: '/models/swap.onnx',
  sha256: 'a'.repeat(64),
  maxBatch: 4,
  inputs: [{ name: 'target', shape: [1, 3, 128, 128] }],
  outputs: [{ name: 'output', shape: [1, 3, 128, 128] }],
};

/** A cache whose builder writes two files and counts. */
function cache(change: Partial<EngineCacheOptions> = {}, gpu: Partial<GpuVersions> = {}) {
  const jobs: BuildJob[] = [];
  const engines = new TensorRTCache({
    cacheDir,
    settings: inference,
    folder: bundledFolder(),
    versions: () => ({ ...versions, ...gpu }),
    build: async (job) => {
      jobs.push(job);
      writeFileSync(path.join(job.into, 'swap.engine'), `engine of ${job.request.sha256}`);
      writeFileSync(path.join(job.into, 'swap.timing'), 'timing');
    },
    ...change,
  });
  return { engines, jobs };
}
const engineFolders = (): string[] => (existsSync(`${cacheDir}/tensorrt`) ? readdirSync(`${cacheDir}/tensorrt`) : []);

describe('TensorRT engines', () => {
  test('are built once and found afterwards, in this process and the next', async () => {
    const { engines, jobs } = cache();
    expect(await engines.findEngine(request)).toBeNull();
    const [a, b] = await Promise.all([engines.buildEngine(request), engines.buildEngine(request)]);
    expect(a).toEqual(b);
    expect(jobs).toHaveLength(1);
    expect(readdirSync(a.folder).sort()).toEqual(['manifest.json', 'swap.engine', 'swap.timing']);
    const next = cache();
    expect(await next.engines.findEngine(request)).toEqual(a);
    expect(await next.engines.buildEngine(request)).toEqual(a);
    expect(next.jobs).toHaveLength(0);
  });

  const changes: [string, Partial<EngineRequest>, Partial<EngineCacheOptions>, Partial<GpuVersions>][] = [
    ['weights under the same name', { sha256: 'b'.repeat(64) }, {}, {}],
    ['batch', { maxBatch: 8 }, {}, {}],
    ['shape', { inputs: [{ name: 'target', shape: [1, 3, 256, 256] }] }, {}, {}],
    ['precision', {}, { settings: { ...inference, precision: 'fp32' } }, {}],
    ['workspace', {}, { settings: { ...inference, workspaceMb: 100 } }, {}],
    ['builder level', {}, { settings: { ...inference, builderLevel: 5 } }, {}],
    ['driver', {}, {}, { driver: '590.2' }],
    ['card', {}, {}, { gpu: 'Other card' }],
    ['compute capability', {}, {}, { capability: '9.0' }],
    ['CUDA', {}, {}, { cuda: '13010' }],
    ['TensorRT', {}, {}, { tensorrt: '101600' }],
    ['ONNX Runtime', {}, {}, { runtime: '1.29.1' }],
  ];
  test.each(changes)('are built once more for another %s', async (_, model, options, gpu) => {
    const first = await cache().engines.buildEngine(request);
    const { engines, jobs } = cache(options, gpu);
    const changed = { ...request, ...model };
    const second = await engines.buildEngine(changed);
    expect(await engines.buildEngine(changed)).toEqual(second);
    expect(jobs).toHaveLength(1);
    expect(second.folder).not.toBe(first.folder);
    expect(await cache().engines.findEngine(request)).toEqual(first);
  });

  test.each<[string, (folder: string) => void]>([
    ['shortened', (folder) => writeFileSync(path.join(folder, 'swap.engine'), 'eng')],
    ['changed in one byte', (folder) => flip(path.join(folder, 'swap.engine'))],
    ['without its file', (folder) => rmSync(path.join(folder, 'swap.engine'))],
    ['without its list', (folder) => rmSync(path.join(folder, 'manifest.json'))],
    ['with half a list', (folder) => writeFileSync(path.join(folder, 'manifest.json'), '{"files": {')],
  ])('%s are thrown away and built again', async (_, spoil) => {
    const { engines, jobs } = cache();
    const { folder } = await engines.buildEngine(request);
    spoil(folder);
    expect(await engines.findEngine(request)).toBeNull();
    expect(existsSync(folder)).toBe(false);
    await engines.buildEngine(request);
    expect(jobs).toHaveLength(2);
    expect(readFileSync(path.join(folder, 'swap.engine'), 'utf8')).toContain('engine of');
  });

  test('stay good when TensorRT writes its timing cache again', async () => {
    const { engines } = cache();
    const plan = await engines.buildEngine(request);
    appendFileSync(path.join(plan.folder, 'swap.timing'), 'more');
    expect(await engines.findEngine(request)).toEqual(plan);
  });

  test('that fail to build leave nothing behind', async () => {
    const failing = cache({
      build: async ({ into }) => {
        writeFileSync(path.join(into, 'half.engine'), 'half');
        throw new FaceOffError('build_failed', 'no');
      },
    });
    await expect(failing.engines.buildEngine(request)).rejects.toMatchObject({ code: 'build_failed' });
    expect(engineFolders()).toEqual([]);
    const empty = cache({ build: async () => undefined });
    await expect(empty.engines.buildEngine(request)).rejects.toMatchObject({ code: 'nothing_made' });
    expect(engineFolders()).toEqual([]);
  });

  test('of a killed process are deleted by the next', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    const half = path.join(cacheDir, 'tensorrt', `${keyOf({})}.half-${child.pid}-abc`);
    const artefacts = new Artefacts(path.join(cacheDir, 'tensorrt'));
    await artefacts.obtain({ other: 1 }, async (folder) => writeFileSync(path.join(folder, 'file'), 'whole'));
    mkdirSync(half);
    writeFileSync(path.join(half, 'swap.engine'), 'half');
    const { engines } = cache();
    expect(await engines.sweep()).toBe(0);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await engines.sweep()).toBe(1);
    expect(engineFolders()).toEqual([keyOf({ other: 1 })]);
  });
});

describe('an optimised model', () => {
  const model = convolutions(16, 16, 2);
  const write = async (bytes: Uint8Array): Promise<EngineRequest> => {
    const file = path.join(cacheDir, 'model.onnx');
    writeFileSync(file, bytes);
    return { name: 'convolutions', file, sha256: await digestOf(file), inputs: model.inputs, outputs: model.outputs };
  };

  test('is made in a process of its own, once, and gives what the original gives', async () => {
    const wanted = await write(model.bytes);
    const { engines } = cache({ build: buildInChild });
    expect(await engines.findOptimised(wanted)).toBeNull();
    const file = await engines.buildOptimised(wanted);
    expect(await engines.findOptimised(wanted)).toBe(file);
    const { inputs, outputs } = model;
    const sessions = [
      await openNative({ name: 'original', model: wanted.file, inputs, outputs }),
      await openNative({ name: 'optimised', model: file, inputs, outputs, optimised: true }),
    ];
    for (const session of sessions) {
      const { x } = session.inputs;
      for (let i = 0; i < x!.length; i++) x![i] = Math.sin(i);
      await session.run();
    }
    expect(sessions[1]!.outputs.y).toEqual(sessions[0]!.outputs.y);
    expect(sessions[0]!.outputs.y!.some((value) => value !== 0)).toBe(true);
    for (const session of sessions) await session.close();
  });

  test('of a file that is no model fails with the reason and leaves nothing', async () => {
    const wanted = await write(new TextEncoder().encode('no model'));
    const { engines } = cache({ build: buildInChild });
    await expect(engines.buildOptimised(wanted)).rejects.toMatchObject({
      code: 'build_failed',
      message: expect.stringMatching(/optimised model of convolutions could not be built:.*protobuf/i),
    });
    expect(readdirSync(path.join(cacheDir, 'optimised'))).toEqual([]);
  });

  test('that takes too long is abandoned, and its process ended', async () => {
    const wanted = await write(model.bytes);
    const { engines } = cache({ build: (job) => buildInChild({ ...job, timeoutMs: 1 }) });
    await expect(engines.buildOptimised(wanted)).rejects.toThrow(/longer than 1 ms \(inference\.engineTimeoutMs\)/);
    expect(readdirSync(path.join(cacheDir, 'optimised'))).toEqual([]);
  });
});

function flip(file: string): void {
  const bytes = readFileSync(file);
  bytes[0]! ^= 1;
  writeFileSync(file, bytes);
}
