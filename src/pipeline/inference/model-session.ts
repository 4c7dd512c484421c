/**
 * A model ready to run, and the only place that knows onnxruntime-node. run() there blocks its thread, so sessions live
 * in worker threads.
 */

import { InferenceSession, Tensor } from 'onnxruntime-node';
import { FaceOffError } from '../../shared/errors.ts';
import type { ModelEntry } from '../models/catalogue.ts';
import { faultError, OrtFailure } from './native/ort-faults.ts';

/** Inputs are filled in place, run() fills the outputs in place. */
export interface ModelSession {
  readonly name: string;
  readonly provider: string;
  /** Milliseconds that a run usually takes, where that is known beforehand. */
  readonly usualMs?: number;
  /** Whether what has to be prepared for it was found prepared. */
  readonly cached?: boolean;
  readonly inputs: Readonly<Record<string, Float32Array>>;
  readonly outputs: Readonly<Record<string, Float32Array>>;
  /** @throws FaceOffError `out_of_memory`, `device_lost`, `model_unusable`; `too_late` where deadlines are kept. */
  run(call?: RunCall): Promise<void>;
  /** Idempotent; waits for a run in progress. */
  close(): Promise<void>;
}

export interface RunCall {
  /** When the answer is no longer of use, on this thread's performance.now(); where it runs may give up then. */
  deadlineMs?: number;
}

/** What of a model a session needs to know. */
export type ModelShape = Pick<ModelEntry, 'name' | 'inputs' | 'outputs'>;

export interface SessionOptions {
  /** Threads inside one run. */
  threads: number;
  /** Input tensors that live in memory of ours, for instance a view of WebAssembly.Memory that never grows. */
  bind?: Record<string, Float32Array>;
  /** Inputs of one double each, which stay as they are given here. */
  doubles?: Record<string, number>;
  /** Inputs of one float each, the same. */
  scalars?: Record<string, number>;
}

/** @throws FaceOffError `model_unusable` when ONNX Runtime does not take the model, `out_of_memory`. */
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
    throw failed(`Opening the model ${entry.name}`, cause);
  }
}

/** The binding throws plain errors, with ONNX Runtime's words in them. */
const failed = (what: string, cause: unknown): unknown =>
  faultError(what, new OrtFailure('run', cause instanceof Error ? cause.message : String(cause), 0));

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

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
        list.map(({ name, shape }) => [name, own[name] ?? new Float32Array(sizeOf(shape))]),
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
    // Given tensors as fetches, ONNX Runtime writes into their buffers.
    this.#running = this.#session.run(this.#feeds, this.#fetches).catch((cause: unknown) => {
      throw failed(`Running the model ${this.name}`, cause);
    });
    await this.#running;
  }

  close(): Promise<void> {
    this.#closed ??= this.#running.catch(() => undefined).then(() => this.#session.release());
    return this.#closed;
  }
}
