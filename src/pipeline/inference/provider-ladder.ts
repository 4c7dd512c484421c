/**
 * Provider ladder: TensorRT, CUDA, WebGPU, CPU. A model runs on the first provider that this machine has and that
 * accepts it. Every step down is reported once, with its cause.
 */

import { FaceOffError, messageOf } from '../../shared/errors.ts';
import { type NativeSession, type NativeSpec, openNative } from './native/native-session.ts';
import { isBatched, type TensorSpec } from './native/ort-tensors.ts';
import type { AvailableProviders } from './native/provider-probe.ts';
import { PROVIDERS, type Provider, type ProviderKind } from './native/providers.ts';

/** The `inference` part of the configuration. */
export interface InferenceSettings {
  provider: 'auto' | ProviderKind;
  precision: 'fp16' | 'fp32';
  deviceId: number;
  /** 0: no limit. */
  gpuMemLimitMb: number;
  workspaceMb: number;
  convSearch: 'heuristic' | 'exhaustive' | 'default';
  builderLevel: number;
  cudaGraphs: boolean;
}

/** A provider was passed over for the next one. */
export interface StepDown {
  /** The model that could not be opened on `from`; null when no model can on this machine. */
  model: string | null;
  from: ProviderKind;
  to: ProviderKind;
  why: string;
}

/** A TensorRT engine of the cache. */
export interface EnginePlan {
  /** Folder of the engine and its timing cache; each engine has its own. */
  folder: string;
}

type ModelToOpen = Omit<NativeSpec, 'provider' | 'folder'>;

/** The providers of this machine, in order; a provider that turns out broken is left out from then on. */
export class ProviderLadder {
  readonly #settings: InferenceSettings;
  readonly #machine: AvailableProviders;
  readonly #report: (step: StepDown) => void;
  /** Providers that do not work here, as found by the probe or by opening a model. */
  readonly #broken = new Set<ProviderKind>();
  readonly #reported = new Set<string>();

  /** @param report called for each step down, but once for equal ones. */
  constructor(settings: InferenceSettings, machine: AvailableProviders, report: (step: StepDown) => void) {
    this.#settings = settings;
    this.#machine = machine;
    this.#report = report;
    const { provider } = settings;
    const from = provider === 'auto' ? 0 : PROVIDERS.indexOf(provider);
    for (const [i, kind] of PROVIDERS.entries()) {
      const lack = machine.lacks[kind];
      // Software Vulkan works, so it is used when the configuration names WebGPU.
      if (i < from || (lack !== null && !(kind === provider && kind === 'webgpu'))) this.#broken.add(kind);
      if (i >= from && lack !== null && (lack.expected || kind === provider)) this.#reportStep(null, kind, lack.why);
    }
  }

  /** The providers that are tried, in order. */
  get steps(): ProviderKind[] {
    return PROVIDERS.filter((kind) => !this.#broken.has(kind));
  }

  /**
   * Opens the model on the first provider that accepts it.
   * @param engine null leaves TensorRT out.
   * @throws FaceOffError `out_of_memory` and `device_lost` of any provider, as another one may do no better;
   *   `model_unusable` when not even the CPU accepts the model.
   */
  async open(spec: ModelToOpen, engine: EnginePlan | null = null): Promise<NativeSession> {
    const steps = this.steps.filter((kind) => kind !== 'tensorrt' || engine !== null);
    for (const kind of steps) {
      try {
        return await this.#openOn(kind, spec, engine);
      } catch (error) {
        const code = error instanceof FaceOffError ? error.code : '';
        if (kind === 'cpu' || (code !== 'provider_unavailable' && code !== 'model_unusable')) throw error;
        // A missing library is missing for all models; a graph that does not fit concerns one model.
        if (code === 'provider_unavailable') this.#broken.add(kind);
        this.#reportStep(code === 'provider_unavailable' ? null : spec.name, kind, messageOf(error));
      }
    }
    throw new FaceOffError('model_unusable', `Nothing on this machine runs the model ${spec.name}.`);
  }

  /** CUDA graphs cannot capture a model with nodes on the CPU: then the model is opened without them. */
  async #openOn(kind: ProviderKind, spec: ModelToOpen, engine: EnginePlan | null): Promise<NativeSession> {
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

  #reportStep(model: string | null, from: ProviderKind, why: string): void {
    const key = `${model} ${from}`;
    if (this.#reported.has(key)) return;
    this.#reported.add(key);
    const to = PROVIDERS.find((kind, i) => i > PROVIDERS.indexOf(from) && this.#machine.lacks[kind] === null) ?? 'cpu';
    this.#report({ model, from, to, why });
  }
}

/**
 * A provider with the options that the settings give it.
 * @param engine where TensorRT's engine is; with null, `tensorrt` falls back to CUDA.
 */
export function providerFor(
  kind: ProviderKind,
  settings: InferenceSettings,
  spec: Pick<NativeSpec, 'inputs' | 'maxBatch'>,
  engine: EnginePlan | null,
): Provider {
  if (kind === 'cpu') return { kind };
  if (kind === 'webgpu') return { kind, webgpu: { powerPreference: 'high-performance', validationMode: 'basic' } };
  const { deviceId, gpuMemLimitMb, workspaceMb, convSearch, precision, builderLevel, cudaGraphs } = settings;
  const cuda = {
    device_id: deviceId,
    ...(gpuMemLimitMb > 0 ? { gpu_mem_limit: gpuMemLimitMb * 2 ** 20 } : {}),
    // Other programs use the GPU as well; batch sizes are few, so doubling gains little.
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

/** TensorRT's optimisation profile: batches from 1 to the largest, tuned for the largest. Names only batched inputs. */
function profileOf(inputs: readonly TensorSpec[], maxBatch: number): Record<string, string> {
  const open = inputs.filter(isBatched);
  if (open.length === 0) return {};
  const at = (batch: number): string =>
    open.map(({ name, shape: [first = 1, ...rest] }) => `${name}:${[first * batch, ...rest].join('x')}`).join(',');
  return { trt_profile_min_shapes: at(1), trt_profile_opt_shapes: at(maxBatch), trt_profile_max_shapes: at(maxBatch) };
}
