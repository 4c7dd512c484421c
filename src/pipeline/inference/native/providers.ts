/**
 * ONNX Runtime's execution providers, their options, and how options are passed by the C API. Option names are ONNX
 * Runtime's own; its documentation describes each:
 * https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html
 * https://onnxruntime.ai/docs/execution-providers/TensorRT-ExecutionProvider.html
 */

import { CStrings } from './c-strings.ts';
import type { Pointer } from './ffi.ts';
import type { OrtApi } from './ort-api.ts';

/** Options of the CUDA provider; absent ones keep ONNX Runtime's default. */
export interface CudaOptions {
  device_id?: number;
  /** Bytes of the arena, which includes weights and cuDNN's workspaces but not CUDA's own context (some 300 MB). */
  gpu_mem_limit?: number;
  /** kSameAsRequested allocates the requested size; kNextPowerOfTwo doubles, which is faster and wastes more. */
  arena_extend_strategy?: 'kNextPowerOfTwo' | 'kSameAsRequested';
  /** EXHAUSTIVE benchmarks all algorithms at the first run of each shape, HEURISTIC lets cuDNN choose. */
  cudnn_conv_algo_search?: 'EXHAUSTIVE' | 'HEURISTIC' | 'DEFAULT';
  /** false limits cuDNN's workspace to 32 MB. */
  cudnn_conv_use_max_workspace?: boolean;
  cudnn_conv1d_pad_to_nc1d?: boolean;
  do_copy_in_default_stream?: boolean;
  /** Tensors then have fixed addresses on the GPU (cuda-tensors.ts), and each batch has a graph of its own. */
  enable_cuda_graph?: boolean;
  prefer_nhwc?: boolean;
  use_tf32?: boolean;
  tunable_op_enable?: boolean;
}

/** Options of the TensorRT provider. Shapes are written as `input:1x3x128x128`, separated by commas. */
export interface TensorRTOptions {
  device_id?: number;
  trt_max_workspace_size?: number;
  trt_fp16_enable?: boolean;
  trt_bf16_enable?: boolean;
  trt_engine_cache_enable?: boolean;
  trt_engine_cache_path?: string;
  trt_engine_cache_prefix?: string;
  trt_timing_cache_enable?: boolean;
  trt_timing_cache_path?: string;
  trt_force_timing_cache?: boolean;
  /** 0 to 5: how long the builder looks for faster kernels. */
  trt_builder_optimization_level?: number;
  trt_profile_min_shapes?: string;
  trt_profile_opt_shapes?: string;
  trt_profile_max_shapes?: string;
  /** Tensors then have fixed addresses on the GPU (cuda-tensors.ts), and each batch has a graph of its own. */
  trt_cuda_graph_enable?: boolean;
  trt_context_memory_sharing_enable?: boolean;
  trt_layer_norm_fp32_fallback?: boolean;
  trt_build_heuristics_enable?: boolean;
  trt_auxiliary_streams?: number;
  trt_max_partition_iterations?: number;
  trt_min_subgraph_size?: number;
  trt_dump_ep_context_model?: boolean;
  trt_ep_context_file_path?: string;
  trt_detailed_build_log?: boolean;
}

/** Options of the WebGPU provider. */
export interface WebGpuOptions {
  preferredLayout?: 'NCHW' | 'NHWC';
  validationMode?: 'disabled' | 'wgpuOnly' | 'basic' | 'full';
  powerPreference?: 'high-performance' | 'low-power';
  enableGraphCapture?: boolean;
}

/** Providers in the order of the ladder, best first. */
export const PROVIDERS = ['tensorrt', 'cuda', 'webgpu', 'cpu'] as const;
/** Name of a provider, as in the configuration. */
export type ProviderKind = (typeof PROVIDERS)[number];

/**
 * A provider with its options. Nodes that TensorRT does not support run on CUDA, those that CUDA does not on the CPU.
 */
export type Provider =
  | { kind: 'tensorrt'; tensorrt: TensorRTOptions; cuda: CudaOptions }
  | { kind: 'cuda'; cuda: CudaOptions }
  | { kind: 'webgpu'; webgpu: WebGpuOptions }
  | { kind: 'cpu' };

/** Options as ONNX Runtime reads them: text by key, booleans as 1 and 0, without undefined ones. */
export function entriesOf(options: CudaOptions | TensorRTOptions | WebGpuOptions): Record<string, string> {
  const text = (value: string | number | boolean): string =>
    typeof value === 'boolean' ? (value ? '1' : '0') : String(value);
  return Object.fromEntries(
    Object.entries(options)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key, text(value)]),
  );
}

/** Adds a provider to session options. @throws OrtFailure when a library is missing or an option is refused. */
export function appendProvider(api: OrtApi, options: Pointer, provider: Provider): void {
  if (provider.kind === 'tensorrt') appendV2(api, options, 'TensorRT', provider.tensorrt);
  if (provider.kind === 'tensorrt' || provider.kind === 'cuda') appendV2(api, options, 'CUDA', provider.cuda);
  if (provider.kind === 'webgpu') {
    withEntries(provider.webgpu, (...entries) =>
      api.call('SessionOptionsAppendExecutionProvider', options, 'WebGPU', ...entries),
    );
  }
}

/** The options as ONNX Runtime understood them, `key=value;` each; tests compare them. */
export function readBack(api: OrtApi, name: V2Name, given: CudaOptions | TensorRTOptions): string {
  return withOptions(api, name, given, (own) => api.text(`Get${name}ProviderOptionsAsString`, own, api.allocator));
}

/** Providers whose options are an object of their own in the C API. */
type V2Name = 'TensorRT' | 'CUDA';

function appendV2(api: OrtApi, options: Pointer, name: V2Name, given: CudaOptions | TensorRTOptions): void {
  withOptions(api, name, given, (own) => api.call(`SessionOptionsAppendExecutionProvider_${name}_V2`, options, own));
}

/** Makes an options object, passes it to `use`, and frees it. */
function withOptions<T>(api: OrtApi, name: V2Name, given: CudaOptions | TensorRTOptions, use: (own: Pointer) => T): T {
  const own = api.make(`Create${name}ProviderOptions`);
  try {
    withEntries(given, (...entries) => api.call(`Update${name}ProviderOptions`, own, ...entries));
    return use(own);
  } finally {
    api.release(`Release${name}ProviderOptions`, own);
  }
}

/** @param use receives the options as the C API takes them: keys, values, and their count. */
function withEntries(
  options: CudaOptions | TensorRTOptions | WebGpuOptions,
  use: (keys: Pointer, values: Pointer, count: number) => void,
): void {
  const entries = Object.entries(entriesOf(options));
  const keys = new CStrings(entries.map(([key]) => key));
  const values = new CStrings(entries.map(([, value]) => value));
  keys.use((k) => values.use((v) => use(k, v, entries.length)));
}
