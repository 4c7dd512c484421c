/**
 * TensorRT, CUDA, WebGPU, CPU: a model runs on the first that this machine has and that takes it. Every step down is told
 * once, with what was really wrong.
 */

import { FaceOffError } from '../../shared/errors.ts';
import { type NativeSession, type NativeSpec, openNative } from './native/native-session.ts';
import { isBatched, type TensorSpec } from './native/ort-tensors.ts';
import type { AvailableProviders } from './native/provider-probe.ts';
import { PROVIDERS, type Provider, type ProviderKind } from './native/providers.ts';

/** The part of the configuration that says how models run. */
export interface InferenceSettings {
  provider: 'auto' | ProviderKind;
  precision: 'fp16' | 'fp32';
  deviceId: number;
  /** 0: as much as the card has. */
  gpuMemLimitMb: number;
  workspaceMb: number;
  convSearch: 'heuristic' | 'exhaustive' | 'default';
  builderLevel: number;
  cudaGraphs: boolean;
}

export interface StepDown {
  /** The model that could not be opened there, or null: nothing runs there on this machine. */
  model: string | null;
  from: ProviderKind;
  to: ProviderKind;
  why: string;
}

/** What TensorRT has to know of a model. */
export interface EnginePlan {
  /** Where its engine and timing cache are kept, a folder of its own. */
  folder: string;
}

type Opening = Omit<NativeSpec, 'provider' | 'folder'>;

export class ProviderLadder {
  readonly #settings: InferenceSettings;
  readonly #machine: AvailableProviders;
  readonly #report: (step: StepDown) => void;
  /** Providers that do not work here, found when they were looked for or tried. */
  readonly #broken = new Set<ProviderKind>();
  readonly #told = new Set<string>();

  /** @param report told of each step down; the same one is told once. */
  constructor(settings: InferenceSettings, machine: AvailableProviders, report: (step: StepDown) => void) {
    this.#settings = settings;
    this.#machine = machine;
    this.#report = report;
    const { provider } = settings;
    const from = provider === 'auto' ? 0 : PROVIDERS.indexOf(provider);
    for (const [i, kind] of PROVIDERS.entries()) {
      const lack = machine.lacks[kind];
      // Software Vulkan does work, for those who ask for it by name.
      if (i < from || (lack !== null && !(kind === provider && kind === 'webgpu'))) this.#broken.add(kind);
      if (i >= from && lack !== null && (lack.expected || kind === provider)) this.#tell(null, kind, lack.why);
    }
  }

  /** The providers that are tried, the first first. */
  get steps(): ProviderKind[] {
    return PROVIDERS.filter((kind) => !this.#broken.has(kind));
  }

  /**
   * Opens the model on the highest step that takes it.
   * @param engine null leaves TensorRT out.
   * @throws FaceOffError `out_of_memory` and `device_lost` from any step: that another step would do is not known.
   *   `model_unusable` when not even the CPU takes the model.
   */
  async open(spec: Opening, engine: EnginePlan | null = null): Promise<NativeSession> {
    const steps = this.steps.filter((kind) => kind !== 'tensorrt' || engine !== null);
    for (const kind of steps) {
      try {
        return await this.#openOn(kind, spec, engine);
      } catch (error) {
        const code = error instanceof FaceOffError ? error.code : '';
        if (kind === 'cpu' || (code !== 'provider_unavailable' && code !== 'model_unusable')) throw error;
        // What is missing for one model is missing for all; what does not fit one may fit the next.
        if (code === 'provider_unavailable') this.#broken.add(kind);
        this.#tell(code === 'provider_unavailable' ? null : spec.name, kind, (error as Error).message);
      }
    }
    throw new FaceOffError('model_unusable', `Nothing on this machine runs the model ${spec.name}.`);
  }

  /** A graph that leaves work to the CPU cannot be captured; without that it may run. */
  async #openOn(kind: ProviderKind, spec: Opening, engine: EnginePlan | null): Promise<NativeSession> {
    const { cudaGraphs } = this.#settings;
    const open = (graphs: boolean): Promise<NativeSession> => {
      const provider = providerFor(kind, { ...this.#settings, cudaGraphs: graphs }, spec, engine);
      return openNative({ ...spec, folder: this.#machine.folder, provider });
    };
    return open(cudaGraphs).catch((error: unknown) => {
      const unfit = error instanceof FaceOffError && error.code === 'model_unusable';
      if (unfit && cudaGraphs && (kind === 'cuda' || kind === 'tensorrt')) return open(false);
      throw error;
    });
  }

  #tell(model: string | null, from: ProviderKind, why: string): void {
    const key = `${model} ${from}`;
    if (this.#told.has(key)) return;
    this.#told.add(key);
    const to = PROVIDERS.find((kind, i) => i > PROVIDERS.indexOf(from) && this.#machine.lacks[kind] === null) ?? 'cpu';
    this.#report({ model, from, to, why });
  }
}

/** The provider with its options, as the settings want it. */
export function providerFor(
  ...[kind, settings, spec, engine]: [
    ProviderKind,
    InferenceSettings,
    Pick<NativeSpec, 'inputs' | 'maxBatch'>,
    EnginePlan | null,
  ]
): Provider {
  if (kind === 'cpu') return { kind };
  if (kind === 'webgpu') return { kind, webgpu: { powerPreference: 'high-performance', validationMode: 'basic' } };
  const { deviceId, gpuMemLimitMb, workspaceMb, convSearch, precision, builderLevel, cudaGraphs } = settings;
  const cuda = {
    device_id: deviceId,
    ...(gpuMemLimitMb > 0 ? { gpu_mem_limit: gpuMemLimitMb * 2 ** 20 } : {}),
    // Other programs want the card as well; batches are few, so there is little to be won by doubling.
    arena_extend_strategy: 'kSameAsRequested' as const,
    cudnn_conv_algo_search: convSearch.toUpperCase() as 'HEURISTIC' | 'EXHAUSTIVE' | 'DEFAULT',
    cudnn_conv_use_max_workspace: true,
    do_copy_in_default_stream: true,
  };
  if (kind === 'cuda' || engine === null) return { kind: 'cuda', cuda: { ...cuda, enable_cuda_graph: cudaGraphs } };
  const tensorrt = {
    device_id: deviceId,
    trt_fp16_enable: precision === 'fp16',
    trt_max_workspace_size: workspaceMb * 2 ** 20,
    trt_builder_optimization_level: builderLevel,
    trt_engine_cache_enable: true,
    trt_engine_cache_path: engine.folder,
    trt_timing_cache_enable: true,
    trt_timing_cache_path: engine.folder,
    trt_cuda_graph_enable: cudaGraphs,
    ...profileOf(spec.inputs, spec.maxBatch ?? 1),
  };
  return { kind, tensorrt, cuda };
}

/** Every batch from 1 to the largest, quickest at the largest. Only shapes that change are named. */
function profileOf(inputs: readonly TensorSpec[], maxBatch: number): Record<string, string> {
  const open = inputs.filter(isBatched);
  if (open.length === 0) return {};
  const at = (batch: number): string =>
    open.map(({ name, shape: [first = 1, ...rest] }) => `${name}:${[first * batch, ...rest].join('x')}`).join(',');
  return { trt_profile_min_shapes: at(1), trt_profile_opt_shapes: at(maxBatch), trt_profile_max_shapes: at(maxBatch) };
}
