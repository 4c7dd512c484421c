/**
 * A model ready to run, and the only place that knows onnxruntime-node. run() there blocks its thread, so sessions live
 * in worker threads.
 */

import { InferenceSession, Tensor } from 'onnxruntime-node';
import { FaceOffError } from '../../errors.ts';
import type { ModelEntry } from './catalogue.ts';
import { failed } from './failure.ts';

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
  /** @throws FaceOffError `out_of_memory`, `device_lost`, `model_failed`; `too_late` where deadlines are kept. */
  run(call?: RunCall): Promise<void>;
  /** Idempotent; waits for a run in progress. */
  close(): Promise<void>;
}

export interface RunCall {
  /** When the answer is no longer of use, on this thread's performance.now(); where it runs may give up then. */
  deadlineMs?: number;
  /** Batches of the model's shape that are filled, where the session was opened for more than one. */
  batches?: number;
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
  /** Most batches of the model's shape in one run; the file must leave the first dimension open for more than one. */
  maxBatches?: number;
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
    throw failed(entry.name, cause, 'model_unusable');
  }
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

type Tensors = Record<string, Tensor>;
type Buffers = Record<string, Float32Array>;

class CpuSession implements ModelSession {
  readonly name: string;
  readonly provider = 'cpu';
  readonly inputs: Buffers;
  readonly outputs: Buffers;
  readonly #session: InferenceSession;
  readonly #entry: ModelShape;
  readonly #single: Tensors;
  /** Tensors over the first so many batches of the buffers. */
  readonly #bound = new Map<number, { feeds: Tensors; fetches: Tensors }>();
  readonly #maxBatches: number;
  #running: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | null = null;

  constructor(entry: ModelShape, session: InferenceSession, options: SessionOptions) {
    const { bind = {}, doubles = {}, scalars = {}, maxBatches = 1 } = options;
    this.name = entry.name;
    this.#session = session;
    this.#maxBatches = maxBatches;
    this.#entry = { ...entry, inputs: entry.inputs.filter(({ name }) => !(name in scalars)) };
    const buffers = (list: ModelEntry['inputs'], own: Buffers): Buffers =>
      Object.fromEntries(
        list.map(({ name, shape }) => [name, own[name] ?? new Float32Array(sizeOf(shape) * maxBatches)]),
      );
    this.inputs = buffers(this.#entry.inputs, bind);
    this.outputs = buffers(entry.outputs, {});
    this.#single = Object.fromEntries([
      ...Object.entries(doubles).map(([name, x]) => [name, new Tensor('float64', Float64Array.of(x), [1])]),
      ...entry.inputs
        .filter(({ name }) => name in scalars)
        .map(({ name, shape }) => [name, new Tensor('float32', Float32Array.of(scalars[name]!), shape)]),
    ]) as Tensors;
  }

  async run({ batches = this.#maxBatches }: RunCall = {}): Promise<void> {
    if (this.#closed !== null) throw new FaceOffError('model_closed', `The model ${this.name} was closed.`);
    const { feeds, fetches } = this.#tensors(batches);
    // Given tensors as fetches, ONNX Runtime writes into their buffers.
    this.#running = this.#session.run(feeds, fetches).catch((cause: unknown) => {
      throw failed(this.name, cause);
    });
    await this.#running;
  }

  close(): Promise<void> {
    this.#closed ??= this.#running.catch(() => undefined).then(() => this.#session.release());
    return this.#closed;
  }

  #tensors(batches: number): { feeds: Tensors; fetches: Tensors } {
    const over = (list: ModelEntry['inputs'], buffers: Buffers): Tensors =>
      Object.fromEntries(
        list.map(({ name, shape }) => {
          const values = buffers[name]!.subarray(0, sizeOf(shape) * batches);
          return [name, new Tensor('float32', values, [shape[0]! * batches, ...shape.slice(1)])];
        }),
      );
    const bound = this.#bound.get(batches) ?? {
      feeds: { ...over(this.#entry.inputs, this.inputs), ...this.#single },
      fetches: over(this.#entry.outputs, this.outputs),
    };
    this.#bound.set(batches, bound);
    return bound;
  }
}
