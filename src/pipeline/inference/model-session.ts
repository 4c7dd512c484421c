/**
 * Sessions in the calling thread, by onnxruntime-node: the only importer of its JavaScript API. Its run() blocks the
 * thread, so these sessions live in worker threads.
 */

import { InferenceSession, Tensor } from 'onnxruntime-node';
import { FaceOffError, messageOf } from '../../shared/errors.ts';
import { shapeSize } from '../../shared/shape-size.ts';
import type { ModelEntry } from '../models/catalogue.ts';
import { faultError, OrtFailure } from './native/ort-faults.ts';

/** A model ready to run: inputs are filled in place, run() fills the outputs in place. Tensors are float32. */
export interface ModelSession {
  readonly name: string;
  readonly provider: string;
  /** Milliseconds of a usual run, where that is known beforehand. */
  readonly usualMs?: number;
  /** Whether an engine, an optimised model or a saved tuning was found in the cache. */
  readonly cached?: boolean;
  readonly inputs: Readonly<Record<string, Float32Array>>;
  readonly outputs: Readonly<Record<string, Float32Array>>;
  /** @throws FaceOffError `out_of_memory`, `device_lost`, `model_unusable`; `too_late` where deadlines are enforced. */
  run(call?: RunCall): Promise<void>;
  /** Idempotent; waits for a run in progress. */
  close(): Promise<void>;
}

/** Options of one run. */
export interface RunCall {
  /** When the result becomes useless, on this thread's performance.now(); a device may give up then. */
  deadlineMs?: number;
}

/** The part of a model's entry that a session needs. */
export type ModelShape = Pick<ModelEntry, 'name' | 'inputs' | 'outputs'>;

/** How a session is opened. */
export interface SessionOptions {
  /** Threads inside one run. */
  threads: number;
  /** Memory of the caller for inputs, by name: for instance a view of a WebAssembly.Memory, which must never grow. */
  bind?: Record<string, Float32Array>;
  /** Constant inputs of one float64 each, by name. */
  doubles?: Record<string, number>;
  /** Constant inputs of one float32 each, by name. */
  scalars?: Record<string, number>;
}

/**
 * Opens a model on the CPU, in this thread.
 * @param model bytes of the ONNX file.
 * @throws FaceOffError `model_unusable` when ONNX Runtime does not take the model, `out_of_memory`.
 */
export async function openSession(
  entry: ModelShape,
  model: Uint8Array,
  options: SessionOptions,
): Promise<ModelSession> {
  try {
    const session = await InferenceSession.create(model, {
      executionProviders: ['cpu'],
      intraOpNumThreads: options.threads,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      graphOptimizationLevel: 'all',
      logSeverityLevel: 3,
      // Threads that spin between frames would take a core from WebRTC.
      extra: { session: { force_spinning_stop: '1' } },
    });
    return new CpuSession(entry, session, options);
  } catch (cause) {
    throw asFault(`Opening the model ${entry.name}`, cause);
  }
}

/** onnxruntime-node throws plain errors with ONNX Runtime's message. */
const asFault = (what: string, cause: unknown): unknown => faultError(what, new OrtFailure('run', messageOf(cause), 0));

type Tensors = Record<string, Tensor>;
type Buffers = Record<string, Float32Array>;

class CpuSession implements ModelSession {
  readonly name: string;
  readonly provider = 'cpu';
  readonly inputs: Buffers;
  readonly outputs: Buffers;
  readonly #session: InferenceSession;
  readonly #feeds: Tensors;
  readonly #fetches: Tensors;
  #running: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | null = null;

  constructor(entry: ModelShape, session: InferenceSession, options: SessionOptions) {
    const { bind = {}, doubles = {}, scalars = {} } = options;
    this.name = entry.name;
    this.#session = session;
    const tensors = (list: ModelEntry['inputs'], own: Buffers): [Buffers, Tensors] => {
      const buffers = Object.fromEntries(
        list.map(({ name, shape }) => [name, own[name] ?? new Float32Array(shapeSize(shape))]),
      );
      const over = list.map(({ name, shape }) => [name, new Tensor('float32', buffers[name]!, shape)] as const);
      return [buffers, Object.fromEntries(over)];
    };
    [this.inputs, this.#feeds] = tensors(entry.inputs, bind);
    for (const [name, value] of Object.entries(scalars)) this.inputs[name]!.fill(value);
    for (const [name, value] of Object.entries(doubles))
      this.#feeds[name] = new Tensor('float64', Float64Array.of(value), [1]);
    [this.outputs, this.#fetches] = tensors(entry.outputs, {});
  }

  async run(): Promise<void> {
    if (this.#closed !== null) throw new FaceOffError('model_closed', `The model ${this.name} was closed.`);
    // With tensors as fetches, ONNX Runtime writes into their buffers.
    this.#running = this.#session.run(this.#feeds, this.#fetches).catch((cause: unknown) => {
      throw asFault(`Running the model ${this.name}`, cause);
    });
    await this.#running;
  }

  close(): Promise<void> {
    this.#closed ??= this.#running.catch(() => undefined).then(() => this.#session.release());
    return this.#closed;
  }
}
