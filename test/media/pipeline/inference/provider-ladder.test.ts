import { describe, expect, test } from 'vitest';
import { defaultConfig } from '../../../../src/config.ts';
import { bundledFolder } from '../../../../src/pipeline/inference/native/ort-api.ts';
import {
  type AvailableProviders,
  type Lack,
  probeProviders,
} from '../../../../src/pipeline/inference/native/provider-probe.ts';
import { entriesOf } from '../../../../src/pipeline/inference/native/providers.ts';
import { ProviderLadder, providerFor, type StepDown } from '../../../../src/pipeline/inference/provider-ladder.ts';
import { doubling } from '../../../support/graphs.ts';

const { inference } = defaultConfig();
const { bytes, inputs, outputs } = doubling();
const model = { name: 'doubling', model: bytes, inputs, outputs };
const absent: Lack = { expected: false, why: 'it is not installed' };
const machine = (lacks: Partial<AvailableProviders['lacks']> = {}): AvailableProviders => ({
  folder: bundledFolder(),
  lacks: { tensorrt: absent, cuda: absent, webgpu: absent, cpu: null, ...lacks },
});

function ladder(
  provider: typeof inference.provider,
  here: AvailableProviders,
): { ladder: ProviderLadder; steps: StepDown[] } {
  const steps: StepDown[] = [];
  return { ladder: new ProviderLadder({ ...inference, provider }, here, (step) => steps.push(step)), steps };
}

describe('the provider ladder', () => {
  test('is the CPU alone without any GPU library, and reports nothing', async () => {
    const auto = ladder('auto', machine());
    expect(auto.ladder.steps).toEqual(['cpu']);
    const session = await auto.ladder.open(model);
    expect(session.provider).toBe('cpu');
    expect(auto.steps).toEqual([]);
    session.inputs.x!.set([1, 2, 3, 4]);
    await session.run();
    expect([...session.outputs.y!]).toEqual([3, 5, 7, 9]);
    await session.close();
  });

  test('reports what is missing where a provider was set up or asked for', () => {
    const broken = { expected: true, why: 'libcudnn.so.9: cannot open shared object file' };
    const auto = ladder('auto', machine({ tensorrt: broken, cuda: broken }));
    expect(auto.ladder.steps).toEqual(['cpu']);
    expect(auto.steps.map(({ from, to }) => `${from} ${to}`)).toEqual(['tensorrt cpu', 'cuda cpu']);
    expect(auto.steps[1]!.why).toContain('libcudnn.so.9');
    const named = ladder('cuda', machine());
    expect(named.steps).toEqual([{ model: null, from: 'cuda', to: 'cpu', why: 'it is not installed' }]);
    expect(ladder('cpu', machine({ cuda: broken })).steps).toEqual([]);
  });

  test('steps down once for all models when a provider does not load, with the true cause', async () => {
    // The bundled library has no CUDA provider beside it.
    const { ladder: down, steps } = ladder('cuda', machine({ cuda: null }));
    expect(down.steps).toEqual(['cuda', 'cpu']);
    for (const name of ['first', 'second']) {
      const session = await down.open({ ...model, name });
      expect(session.provider).toBe('cpu');
      await session.close();
    }
    expect(steps).toHaveLength(1);
    expect(steps[0]).toMatchObject({ model: null, from: 'cuda', to: 'cpu' });
    expect(steps[0]!.why).toMatch(/libonnxruntime_providers_(shared|cuda)\.so/);
  });

  test('takes TensorRT only for models that have an engine', async () => {
    const { ladder: down, steps } = ladder('auto', machine({ tensorrt: null }));
    await (await down.open(model)).close();
    expect(steps).toEqual([]);
    await (await down.open(model, { folder: '/tmp' })).close();
    expect(steps).toMatchObject([{ from: 'tensorrt', to: 'cpu' }]);
  });

  test('refuses a model that the CPU does not take', async () => {
    const { ladder: cpu } = ladder('auto', machine());
    await expect(cpu.open({ ...model, model: new Uint8Array(9) })).rejects.toMatchObject({ code: 'model_unusable' });
  });
});

test('probing finds the CPU, and reports what the other providers lack', () => {
  const here = probeProviders('/nowhere');
  expect(here.folder).toBe(bundledFolder());
  expect(here.lacks.cpu).toBeNull();
  expect(here.lacks.cuda?.why).toContain('gpu:install');
  expect(here.lacks.tensorrt).toEqual(here.lacks.cuda);
});

test('options are written as ONNX Runtime reads them', () => {
  const settings = { ...inference, gpuMemLimitMb: 1024, convSearch: 'exhaustive' as const, deviceId: 1 };
  const spec = {
    inputs: [
      { name: 'target', shape: [1, 3, 128, 128] },
      { name: 'source', shape: [1, 512] },
      { name: 'morph', shape: [1] },
    ],
    maxBatch: 4,
  };
  const provider = providerFor('tensorrt', settings, spec, { folder: '/cache/key' });
  if (provider.kind !== 'tensorrt') throw new Error(provider.kind);
  expect(entriesOf(provider.cuda)).toEqual({
    device_id: '1',
    gpu_mem_limit: '1073741824',
    arena_extend_strategy: 'kSameAsRequested',
    cudnn_conv_algo_search: 'EXHAUSTIVE',
    cudnn_conv_use_max_workspace: '1',
    do_copy_in_default_stream: '1',
  });
  const graphs = providerFor('cuda', { ...settings, cudaGraphs: true }, spec, null);
  expect(graphs.kind === 'cuda' && entriesOf(graphs.cuda).enable_cuda_graph).toBe('1');
  expect(entriesOf(provider.tensorrt)).toMatchObject({
    device_id: '1',
    trt_fp16_enable: '1',
    trt_engine_cache_enable: '1',
    trt_engine_cache_path: '/cache/key',
    trt_timing_cache_enable: '1',
    trt_profile_min_shapes: 'target:1x3x128x128,source:1x512',
    trt_profile_opt_shapes: 'target:4x3x128x128,source:4x512',
    trt_profile_max_shapes: 'target:4x3x128x128,source:4x512',
  });
  expect(providerFor('tensorrt', settings, spec, null).kind).toBe('cuda');
});
