/**
 * A model on any provider, by ONNX Runtime's C API: all provider options can be set, runs happen off the event loop,
 * inputs and outputs stay in the same memory, and one session runs batches of any size up to its largest.
 */

import { FaceOffError } from '../../../shared/errors.ts';
import { DeviceMemory, DeviceTensors } from './cuda-tensors.ts';
import { describeModel } from './describe-model.ts';
import { addressOf, type Pointer } from './ffi.ts';
import { type OrtApi, openApi } from './ort-api.ts';
import { LOG, type LogLevel } from './ort-api-table.ts';
import { faultError, NO_MEMORY_TO_SAY, OrtFailure } from './ort-faults.ts';
import { lengthOf, OrtTensors, type TensorData, type TensorSpec } from './ort-tensors.ts';
import { appendProvider, type Provider, type ProviderKind } from './providers.ts';

/** A model and how to open it. */
export interface NativeSpec {
  name: string;
  /** A path, or the file's bytes. TensorRT derives the names of its engines from the path. */
  model: string | Uint8Array;
  /** Tensors of float32. */
  inputs: readonly TensorSpec[];
  outputs: readonly TensorSpec[];
  /** The largest batch, 1 by default. Memory for it is allocated once. */
  maxBatch?: number;
  /** Constant inputs of one float64 each, by name. */
  doubles?: Record<string, number>;
  /** Memory of the caller for inputs, large enough for maxBatch; a WebAssembly.Memory must never grow. */
  bind?: Record<string, Float32Array>;
  /** The CPU by default. */
  provider?: Provider;
  /** Threads inside one run on the CPU, 1 by default. */
  threads?: number;
  /** Folder of the ONNX Runtime library to use: that of onnxruntime-node by default. */
  folder?: string;
  /** File to write the graph to, as optimised for this machine. Useful on the CPU only. */
  saveOptimised?: string;
  /** Whether the model is such a file, so that optimisation is skipped. */
  optimised?: boolean;
  /** Least level that ONNX Runtime logs to stderr: error by default. */
  logLevel?: LogLevel;
  /** More session config entries, by ONNX Runtime's keys. */
  config?: Record<string, string>;
}

/** Options of one native run. */
export interface RunOptions {
  /** Shrink the memory arenas to what this run needs. Slow: for use after out of memory, or before an idle time. */
  shrink?: boolean;
}

/** A session of the C API. Inputs and outputs are float32 memory for maxBatch items, filled in place. */
export interface NativeSession {
  readonly name: string;
  readonly provider: ProviderKind;
  readonly maxBatch: number;
  readonly inputs: Readonly<Record<string, Float32Array>>;
  readonly outputs: Readonly<Record<string, Float32Array>>;
  /**
   * Runs the model on the inputs, off the event loop; items of a batch are consecutive. One run at a time. After a
   * failed run the outputs are undefined.
   * @param batch 1 to maxBatch; 1 by default.
   * @throws FaceOffError `out_of_memory`, `device_lost`, `run_terminated`, `model_unusable`, `model_busy`,
   *   `model_closed`.
   */
  run(batch?: number, options?: RunOptions): Promise<void>;
  /** Ends a run in progress early, which then throws `run_terminated`; without a run it does nothing. */
  terminate(): void;
  /** Idempotent; waits for a run in progress. */
  close(): Promise<void>;
}

/**
 * Loads a model off the event loop.
 * @throws FaceOffError `model_unusable`, `out_of_memory`, `device_lost`, `provider_unavailable`, `runtime_missing`,
 *   `runtime_differs`.
 */
export async function openNative(spec: NativeSpec): Promise<NativeSession> {
  const api = openApi(spec.folder);
  const provider = spec.provider ?? { kind: 'cpu' };
  try {
    const session = await createSession(api, spec, provider);
    try {
      requireTypes(api, session, spec);
      return new OrtSession(api, session, spec, provider);
    } catch (error) {
      api.release('ReleaseSession', session);
      throw error;
    }
  } catch (failure) {
    throw faultError(`Opening the model ${spec.name} on ${provider.kind}`, failure);
  }
}

async function createSession(api: OrtApi, spec: NativeSpec, provider: Provider): Promise<Pointer> {
  const options = api.make('CreateSessionOptions');
  try {
    const { threads = 1, optimised = false, logLevel = 'error', saveOptimised, model } = spec;
    api.setLogLevel(logLevel);
    api.call('SetSessionLogSeverityLevel', options, LOG[logLevel]);
    api.call('SetIntraOpNumThreads', options, threads);
    api.call('SetInterOpNumThreads', options, 1);
    // ORT_SEQUENTIAL; ORT_ENABLE_ALL or ORT_DISABLE_ALL.
    api.call('SetSessionExecutionMode', options, 0);
    api.call('SetSessionGraphOptimizationLevel', options, optimised ? 0 : 99);
    if (saveOptimised !== undefined) api.call('SetOptimizedModelFilePath', options, saveOptimised);
    // Threads that spin between frames would take a core from WebRTC.
    const config = { 'session.force_spinning_stop': '1', ...spec.config };
    for (const [key, value] of Object.entries(config)) api.call('AddSessionConfigEntry', options, key, value);
    appendProvider(api, options, provider);
    if (typeof model === 'string') return await api.makeAsync('CreateSession', api.env, model, options);
    const session = await api.makeAsync('CreateSessionFromArray', api.env, addressOf(model), model.byteLength, options);
    // This read keeps the bytes alive until ONNX Runtime has copied them.
    if (model.byteLength === 0) throw new FaceOffError('tensor_gone', `The bytes of ${spec.name} were given away.`);
    return session;
  } finally {
    api.release('ReleaseSessionOptions', options);
  }
}

/** Checks names and element types: ONNX Runtime checks only some of them, and only at a run. */
function requireTypes(api: OrtApi, session: Pointer, spec: NativeSpec): void {
  const has = describeModel(api, session);
  const { doubles = {} } = spec;
  const wanted = [
    ...spec.inputs.map(({ name }) => [has.inputs, 'input', name, 'float32'] as const),
    ...Object.keys(doubles).map((name) => [has.inputs, 'input', name, 'float64'] as const),
    ...spec.outputs.map(({ name }) => [has.outputs, 'output', name, 'float32'] as const),
  ];
  for (const [list, kind, name, type] of wanted) {
    const found = list.get(name);
    if (found === type) continue;
    const why = found === undefined ? `it has none but ${[...list.keys()].join(', ')}` : `it is of ${found}`;
    throw new FaceOffError('model_unusable', `The model ${spec.name} has no ${kind} ${name} of ${type}: ${why}.`);
  }
}

/** Owns the OrtSession and everything made for it; `close` releases all of it. */
class OrtSession implements NativeSession {
  readonly name: string;
  readonly provider: ProviderKind;
  readonly maxBatch: number;
  readonly inputs: Record<string, Float32Array>;
  readonly outputs: Record<string, Float32Array>;
  readonly #api: OrtApi;
  readonly #session: Pointer;
  readonly #feeds: OrtTensors;
  readonly #fetches: OrtTensors;
  /** Memory on the GPU; null where tensors are in host memory. */
  readonly #memory: DeviceMemory | null;
  /** Run options: with CUDA graphs one per batch, as each batch has its own graph; else one for all, under 0. */
  readonly #runOptions = new Map<number, Pointer>();
  /** Run options that shrink the arenas. */
  readonly #shrinking: Pointer;
  #running: Promise<void> | null = null;
  /** Options of the run in progress, by which it can be terminated. */
  #current: Pointer | null = null;
  #closed: Promise<void> | null = null;

  constructor(api: OrtApi, session: Pointer, spec: NativeSpec, provider: Provider) {
    const { maxBatch = 1, bind = {}, doubles = {} } = spec;
    this.name = spec.name;
    this.provider = provider.kind;
    this.maxBatch = maxBatch;
    this.#api = api;
    this.#session = session;
    const floats = (list: readonly TensorSpec[], own: Record<string, Float32Array>): Record<string, Float32Array> =>
      Object.fromEntries(list.map((tensor) => [tensor.name, memoryFor(tensor, maxBatch, own[tensor.name])]));
    this.inputs = floats(spec.inputs, bind);
    this.outputs = floats(spec.outputs, {});
    const scalar = (name: string, numbers: TensorData): readonly [TensorSpec, TensorData] => [
      { name, shape: [1] },
      numbers,
    ];
    const graphs = graphsOf(provider);
    this.#memory = graphs === null ? null : new DeviceMemory(api, session, graphs.deviceId);
    const tensorsOf = (tensors: readonly (readonly [TensorSpec, TensorData])[]): OrtTensors =>
      this.#memory === null ? new OrtTensors(api, tensors) : new DeviceTensors(api, tensors, this.#memory);
    this.#feeds = tensorsOf([
      ...spec.inputs.map((tensor) => [tensor, this.inputs[tensor.name]!] as const),
      ...Object.entries(doubles).map(([name, value]) => scalar(name, Float64Array.of(value))),
    ]);
    this.#fetches = tensorsOf(spec.outputs.map((tensor) => [tensor, this.outputs[tensor.name]!] as const));
    this.#shrinking = api.make('CreateRunOptions');
    api.call('AddRunConfigEntry', this.#shrinking, 'memory.enable_memory_arena_shrinkage', arenasOf(provider));
    if (graphs !== null) api.call('AddRunConfigEntry', this.#shrinking, GRAPH_ID, NO_GRAPH);
  }

  async run(batch = 1, { shrink = false }: RunOptions = {}): Promise<void> {
    if (this.#closed !== null) throw new FaceOffError('model_closed', `The model ${this.name} was closed.`);
    if (this.#running !== null) throw new FaceOffError('model_busy', `The model ${this.name} is running already.`);
    if (!Number.isInteger(batch) || batch < 1 || batch > this.maxBatch)
      throw new RangeError(`The model ${this.name} takes batches of 1 to ${this.maxBatch}, not ${batch}.`);
    const running = this.#run(batch, shrink ? this.#shrinking : this.#optionsFor(batch));
    this.#running = running;
    try {
      await running;
    } catch (failure) {
      throw faultError(`Running ${this.name} on ${this.provider} in a batch of ${batch}`, failure);
    } finally {
      this.#running = null;
    }
  }

  /** The promise keeps this object alive, and with it the memory that the other thread works on. */
  async #run(batch: number, options: Pointer): Promise<void> {
    const [feeds, fetches] = [this.#feeds, this.#fetches];
    await feeds.upload(batch);
    const inputs = [feeds.names.address, feeds.forBatch(batch), feeds.count] as const;
    const outputs = [fetches.names.address, fetches.count, fetches.forBatch(batch)] as const;
    fetches.mark(batch);
    this.#current = options;
    try {
      await this.#api.callAsync('Run', this.#session, options, ...inputs, ...outputs);
    } finally {
      this.#current = null;
      this.#api.call('RunOptionsUnsetTerminate', options);
    }
    await fetches.download(batch);
    if (fetches.isMarked(batch)) throw new OrtFailure('Run', NO_MEMORY_TO_SAY, 1);
  }

  #optionsFor(batch: number): Pointer {
    const id = this.#memory === null ? 0 : batch;
    let options = this.#runOptions.get(id);
    if (options === undefined) {
      options = this.#api.make('CreateRunOptions');
      this.#runOptions.set(id, options);
      if (id > 0) this.#api.call('AddRunConfigEntry', options, GRAPH_ID, String(id));
    }
    return options;
  }

  terminate(): void {
    if (this.#current !== null) this.#api.call('RunOptionsSetTerminate', this.#current);
  }

  close(): Promise<void> {
    this.#closed ??= (this.#running ?? Promise.resolve()).catch(() => undefined).then(() => this.#free());
    return this.#closed;
  }

  #free(): void {
    this.#feeds.release();
    this.#fetches.release();
    this.#memory?.release();
    this.#api.release('ReleaseSession', this.#session);
    for (const options of [...this.#runOptions.values(), this.#shrinking])
      this.#api.release('ReleaseRunOptions', options);
  }
}

/** Run config entry: which CUDA graph to capture or replay. */
const GRAPH_ID = 'gpu_graph_id';
const NO_GRAPH = '-1';

/** The GPU on which CUDA graphs are used; null where they are off. */
function graphsOf(provider: Provider): { deviceId: number } | null {
  const on =
    (provider.kind === 'cuda' && provider.cuda.enable_cuda_graph === true) ||
    (provider.kind === 'tensorrt' && provider.tensorrt.trt_cuda_graph_enable === true);
  return on ? { deviceId: provider.cuda.device_id ?? 0 } : null;
}

function memoryFor(spec: TensorSpec, maxBatch: number, own?: Float32Array): Float32Array {
  const length = lengthOf(spec, maxBatch);
  if (own === undefined) return new Float32Array(length);
  if (own.length >= length) return own;
  throw new RangeError(`The memory bound to ${spec.name} has ${own.length} numbers, and ${length} are needed.`);
}

/** The arenas to shrink, as `device:id` separated by semicolons. */
function arenasOf(provider: Provider): string {
  if (provider.kind !== 'cuda' && provider.kind !== 'tensorrt') return 'cpu:0';
  return `cpu:0;gpu:${provider.cuda.device_id ?? 0}`;
}
