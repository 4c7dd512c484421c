import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../../../../scripts/convert/graph.mjs';
import { openSession } from '../../../../../src/pipeline/inference/model-session.ts';
import { openNative } from '../../../../../src/pipeline/inference/native/native-session.ts';
import { readCatalogue } from '../../../../../src/pipeline/models/catalogue.ts';
import { buildChild, runWith } from '../../../../support/cuda.ts';
import { convolutions, doubling } from '../../../../support/graphs.ts';
import { modelsDir } from '../../../../support/lane.ts';

const open = (options = {}) => openNative({ name: 'doubling', ...model(), ...options });
const model = () => {
  const { bytes, inputs, outputs } = doubling();
  return { model: bytes, inputs, outputs };
};

function fill(values: Float32Array, of: (i: number) => number): void {
  for (let i = 0; i < values.length; i++) values[i] = of(i);
}

beforeAll(buildChild);

describe('a native session', () => {
  test('gives what the binding gives, for every model that comes along', async () => {
    const catalogue = readCatalogue(modelsDir);
    let telling = 0;
    for (const entry of catalogue.models.filter(({ file }) => file.endsWith('.onnx'))) {
      const bytes = catalogue.read(entry);
      const [native, binding] = [
        await openNative({ ...entry, model: bytes }),
        await openSession(entry, bytes, { threads: 1 }),
      ];
      for (const session of [native, binding])
        for (const input of Object.values(session.inputs)) fill(input, (i) => Math.sin(i) / 2 + 0.5);
      await native.run();
      await binding.run();
      for (const [name, values] of Object.entries(native.outputs)) {
        expect(values, `${entry.name} ${name}`).toEqual(binding.outputs[name]);
      }
      if (Object.values(native.outputs).some((values) => values.some((value) => value !== 0))) telling++;
      await Promise.all([native.close(), binding.close()]);
    }
    expect(telling).toBeGreaterThanOrEqual(3);
  });

  test('runs batches of any size in the same memory, and leaves the rest of it alone', async () => {
    const session = await open({ maxBatch: 4 });
    const { x } = session.inputs;
    const { y } = session.outputs;
    expect([x!.length, y!.length]).toEqual([16, 16]);
    for (const batch of [4, 1, 3, 2, 4]) {
      fill(x!, (i) => i + batch);
      y!.fill(-1);
      await session.run(batch);
      expect([...y!]).toEqual(Array.from({ length: 16 }, (_, i) => (i < 4 * batch ? 2 * (i + batch) + 1 : -1)));
    }
    await expect(session.run(5)).rejects.toThrow('takes batches of 1 to 4, not 5');
    await expect(session.run(0)).rejects.toThrow(RangeError);
    await session.close();
  });

  test('reads memory that others fill, and constants of another type', async () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', ['batch', 2]);
    const d = graph.node('Cast', [graph.input('d', [1], 'DOUBLE')], { to: 1 });
    graph.output(graph.node('Mul', [x, d]), 'y', ['batch', 2]);
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
    const view = new Float32Array(memory.buffer, 256, 8);
    const session = await openNative({
      name: 'mixed',
      model: graph.bytes('mixed'),
      inputs: [{ name: 'x', shape: [1, 2] }],
      outputs: [{ name: 'y', shape: [1, 2] }],
      doubles: { d: 0.5 },
      bind: { x: view },
      maxBatch: 2,
    });
    view.set([2, 4, 6, 8]);
    await session.run(2);
    expect([...session.outputs.y!]).toEqual([1, 2, 3, 4]);
    await session.close();
    await expect(openNative({ name: 'bound', ...model(), bind: { x: new Float32Array(1) } })).rejects.toThrow(
      /are needed/,
    );
  });

  test('takes one run at a time, and closes once, after it', async () => {
    const { bytes, inputs, outputs } = convolutions();
    const session = await openNative({ name: 'slow', model: bytes, inputs, outputs });
    const first = session.run();
    await expect(session.run()).rejects.toMatchObject({ code: 'model_busy' });
    let finished = false;
    void first.then(() => {
      finished = true;
    });
    const closing = session.close();
    expect(session.close()).toBe(closing);
    await closing;
    expect(finished).toBe(true);
    await expect(session.run()).rejects.toMatchObject({ code: 'model_closed' });
    session.terminate();
  });

  test('leaves the event loop alone while it opens and runs', async () => {
    const { bytes, inputs, outputs } = convolutions(256, 32, 6);
    const session = await openNative({ name: 'slow', model: bytes, inputs, outputs });
    const delay = monitorEventLoopDelay({ resolution: 1 });
    const from = performance.now();
    let turns = 0;
    const ticking = setInterval(() => turns++, 1);
    delay.enable();
    await session.run();
    delay.disable();
    clearInterval(ticking);
    const tookMs = performance.now() - from;
    // A run that blocked would leave no turn at all.
    expect(turns).toBeGreaterThan(3);
    expect(delay.max / 1e6).toBeLessThan(tookMs);
    await session.close();
  });

  const limits = spawnSync('prlimit', ['--version']).status === 0;
  describe.skipIf(!limits)(`in a process with little memory${limits ? '' : ' (skipped: there is no prlimit)'}`, () => {
    test('says so, and runs a smaller batch', () => {
      const { answer, status } = runWith(null, 'host', { ROOM_MB: '400' });
      expect(status).toBe(0);
      expect(answer).toMatchObject({
        seen: ['out_of_memory ok'],
        message: expect.stringContaining('not enough memory'),
      });
    });

    // ONNX Runtime then answers as if all were well: it has no memory for its message.
    test('says so even where there is none left at all', () => {
      const { answer, status } = runWith(null, 'host', { ROOM_MB: '64' });
      expect(status).toBe(0);
      for (const said of (answer as { seen: string[] }).seen)
        expect(said).toMatch(/^out_of_memory (ok|out_of_memory)$/);
    });
  });

  test('is told everything it is to be told', () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-trace-'));
    const { answer, stderr } = runWith(null, 'trace', { ENGINE_FOLDER: folder });
    rmSync(folder, { recursive: true, force: true });
    expect(answer).toEqual({ saved: true });
    const trace = /Session Options \{ (.*)\}/.exec(stderr)?.[1];
    for (const said of [
      'execution_mode:0',
      `optimized_model_filepath:"${folder}/optimised.onnx"`,
      'session_log_severity_level:0',
      'graph_optimization_level:4',
      'intra_op_param:OrtThreadPoolParams { thread_pool_size: 3',
      'inter_op_param:OrtThreadPoolParams { thread_pool_size: 1',
      'session.intra_op.allow_spinning: 0',
      'session.force_spinning_stop: 1',
    ])
      expect(trace).toContain(said);
  });

  test('may be running when the process ends', () => {
    expect(runWith(null, 'exit')).toMatchObject({ status: 0, signal: null, stderr: '' });
  });

  test('can be ended early, and runs again after', async () => {
    const { bytes, inputs, outputs } = convolutions(256, 32, 12);
    const session = await openNative({ name: 'slow', model: bytes, inputs, outputs });
    const run = session.run();
    await pause(5);
    session.terminate();
    await expect(run).rejects.toMatchObject({ code: 'run_terminated' });
    await session.run();
    await session.run(1, { shrink: true });
    await session.close();
  });

  test('refuses what is no model, has other tensors, or other types, and says which', async () => {
    await expect(open({ model: new TextEncoder().encode('nonsense') })).rejects.toMatchObject({
      code: 'model_unusable',
      message: expect.stringMatching(/^Opening the model doubling on cpu failed/),
    });
    await expect(open({ model: '/nowhere/at/all.onnx' })).rejects.toMatchObject({ code: 'model_unusable' });
    await expect(open({ inputs: [{ name: 'z', shape: [1, 4] }] })).rejects.toThrow(
      'no input z of float32: it has none but x',
    );
    await expect(open({ inputs: [], doubles: { x: 1 } })).rejects.toThrow('no input x of float64: it is of float32');
  });

  test('a shape that the model does not have costs the run, not the process', async () => {
    const session = await open({ inputs: [{ name: 'x', shape: [1, 3] }] });
    await expect(session.run()).rejects.toMatchObject({ code: 'model_unusable' });
    await session.close();
    const short = await open({ outputs: [{ name: 'y', shape: [1, 2] }] });
    await expect(short.run()).rejects.toMatchObject({ code: 'model_unusable' });
    await short.close();
  });

  test('memory that was given to another thread is refused, not read', async () => {
    const session = await open();
    structuredClone(session.inputs.x, { transfer: [session.inputs.x!.buffer as ArrayBuffer] });
    await expect(session.run()).rejects.toMatchObject({ code: 'tensor_gone' });
    await session.close();
  });

  test('a thousand sessions leave nothing behind', async () => {
    const cycle = async (): Promise<void> => {
      const session = await open({ maxBatch: 3 });
      await session.run(3);
      await session.run(1);
      await session.close();
      await open({ model: new Uint8Array(8) }).catch(() => undefined);
    };
    for (let i = 0; i < 200; i++) await cycle();
    const before = process.memoryUsage.rss();
    for (let i = 0; i < 1000; i++) await cycle();
    expect((process.memoryUsage.rss() - before) / 2 ** 20).toBeLessThan(24);
  });
});
