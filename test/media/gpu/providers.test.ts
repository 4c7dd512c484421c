/** Loading, options, memory, failing and letting go are ONNX Runtime's own; what is computed means nothing. */

import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildChild, buildCuda, runWith, type StandInCuda, whyNoGpuTests } from '../../support/cuda.ts';

const why = whyNoGpuTests();
const MEGA = 2 ** 20;

describe.skipIf(why !== null)(`the GPU providers of ONNX Runtime${why === null ? '' : ` (skipped: ${why})`}`, () => {
  let cuda: StandInCuda;
  const engines = mkdtempSync(path.join(os.tmpdir(), 'faceoff-engines-'));
  const run = (script: string, vramMb = 512) =>
    runWith(cuda.folder, script, { STAND_IN_VRAM_MB: String(vramMb), ENGINE_FOLDER: engines });

  beforeAll(async () => {
    cuda = buildCuda();
    await buildChild();
  });
  afterAll(() => {
    cuda?.remove();
    rmSync(engines, { recursive: true, force: true });
  });

  test('CUDA has its memory limit and arena strategy, and runs', () => {
    const { answer, stderr } = run('cuda');
    expect(answer).toEqual({ ran: 'ok' });
    expect(stderr).toMatch(
      new RegExp(`Creating BFCArena for Cuda with .*memory limit: ${100 * MEGA} arena_extend_strategy: 1`),
    );
  });

  test('TensorRT has fp16, engine and timing cache, their folder, workspace, level and the shapes asked for', () => {
    const { stderr } = run('tensorrt');
    const options = /TensorRT provider options: (.*)/.exec(stderr)?.[1] ?? '';
    for (const wanted of [
      'trt_fp16_enable: 1',
      'trt_engine_cache_enable: 1',
      `trt_cache_path: ${engines}`,
      // Where the timing cache is, told only while that is on.
      `trt_global_cache_path: ${engines}`,
      `trt_max_workspace_size: ${2048 * MEGA}`,
      'trt_builder_optimization_level: 3',
    ])
      expect(options).toContain(wanted);
    expect(stderr).toMatch(/ParseProfileShapes\] \[TensorRT EP\] 1, 65536/);
    expect(stderr).toMatch(/ParseProfileShapes\] \[TensorRT EP\] 64, 65536/);
  });

  test('an engine whose builder crashes costs neither the process nor the disk', () => {
    const { answer, status } = run('engine');
    expect(status).toBe(0);
    expect(answer).toMatchObject({
      failed: expect.stringMatching(
        /^The TensorRT engine of doubling could not be built: the builder crashed \(SIGSEGV\)/,
      ),
      left: [],
      versions: {
        gpu: 'Stand-in',
        capability: '8.9',
        driver: '580.95',
        cuda: '13000',
        tensorrt: '101500',
        runtime: '1.29.0',
      },
    });
  });

  test('options are read back as they were given', () => {
    const { cuda: own, tensorrt } = run('options').answer as { cuda: string; tensorrt: string };
    expect(own.split(';')).toEqual(
      expect.arrayContaining([
        `gpu_mem_limit=${100 * MEGA}`,
        'arena_extend_strategy=kSameAsRequested',
        'cudnn_conv_algo_search=HEURISTIC',
        'cudnn_conv_use_max_workspace=1',
      ]),
    );
    expect(tensorrt.split(';')).toEqual(
      expect.arrayContaining([
        'trt_fp16_enable=1',
        'trt_engine_cache_enable=1',
        `trt_engine_cache_path=${engines}`,
        'trt_timing_cache_enable=1',
        `trt_timing_cache_path=${engines}`,
        'trt_profile_min_shapes=x:1x65536',
        'trt_profile_opt_shapes=x:64x65536',
        'trt_profile_max_shapes=x:64x65536',
      ]),
    );
  });

  test('with CUDA graphs, tensors stay on the card, and what is in them arrives and comes back, batch by batch', () => {
    const { answer } = run('graphs');
    expect(answer).toMatchObject({ right: new Array(8).fill(true), left: 0 });
    // The first run of each batch captures its graph and launches it, as all from then on do.
    expect((answer as { launches: number }).launches).toBe(8);
  });

  test('a model that cannot be a graph runs on CUDA without one', () => {
    expect(run('ungraphable').answer).toEqual({ provider: 'cuda', steps: [], y: -2 });
  });

  test('a batch too large for the card is out of memory; a smaller one then runs', () => {
    const { large, codes } = run('memory', 24).answer as { large: string; codes: string[] };
    expect(large).toMatch(/in a batch of 64 failed.*not enough memory.*Failed to allocate memory for requested buffer/);
    expect(codes).toEqual(['out_of_memory', 'ok']);
  });

  test('a card too small for the model is out of memory when it opens, and the process goes on', () => {
    const { answer, status, signal } = run('openings', 0);
    expect({ status, signal }).toEqual({ status: 0, signal: null });
    expect(answer).toMatchObject({ seen: ['out_of_memory'] });
    expect((answer as { rssGrewMb: number }).rssGrewMb).toBeLessThan(16);
  });

  test('500 times out of memory, with a run after each, leave nothing behind', () => {
    const { answer, status } = run('faults', 24);
    expect(status).toBe(0);
    expect(answer).toMatchObject({ seen: ['out_of_memory ok'], cardGrewMb: 0, cardLeftMb: 0 });
    expect((answer as { rssGrewMb: number }).rssGrewMb).toBeLessThan(16);
  });

  test('a kernel that reads where it may not costs the device', () => {
    expect(run('sticky').answer).toEqual({ code: 'device_lost' });
  });

  test('NVML is read', () => {
    expect(run('nvml').answer).toMatchObject({
      driver: '580.95',
      cuda: '13.0',
      devices: [{ name: 'Stand-in', capability: '8.9', memoryBytes: 8 * 2 ** 30 }],
      memory: { totalBytes: 8 * 2 ** 30, freeBytes: 5 * 2 ** 30, usedBytes: 3 * 2 ** 30 },
      utilisation: { gpu: 0.42, memory: 0.07 },
    });
  });

  describe('with a library missing', () => {
    let broken: StandInCuda;
    const steps = (without: string[]) => {
      broken = buildCuda(without);
      const { answer, status } = runWith(broken.folder, 'ladder', { STAND_IN_VRAM_MB: '512', ENGINE_FOLDER: engines });
      broken.remove();
      expect(status).toBe(0);
      return answer as { providers: string[]; steps: { from: string; to: string; why: string }[] };
    };

    test('TensorRT gives way to CUDA, and says which one', () => {
      const { providers, steps: told } = steps(['libnvinfer.']);
      expect(providers).toEqual(['cuda', 'cuda']);
      expect(told).toHaveLength(1);
      expect(told[0]).toMatchObject({ model: null, from: 'tensorrt', to: 'cuda' });
      expect(told[0]!.why).toMatch(/TensorRT 10 is missing or incomplete: .*libnvinfer\.so\.10/);
    });

    test('CUDA gives way to the CPU, and says which one, once for all models', () => {
      const { providers, steps: told } = steps(['libcublasLt.']);
      expect(providers).toEqual(['cpu', 'cpu']);
      expect(told.map(({ from, to }) => `${from} ${to}`)).toEqual(['tensorrt cpu', 'cuda cpu']);
      expect(told[1]!.why).toMatch(/CUDA 13 is missing or incomplete: .*libcublasLt\.so\.13/);
    });
  });
});
