/**
 * A model ready to run, and the only place that knows onnxruntime-node. run() there blocks its thread, so sessions live
 * in worker threads.
 */

import { InferenceSession, Tensor } from 'onnxruntime-node';
import { FaceOffError } from '../../errors.ts';
import type { ModelEntry } from './catalogue.ts';

/** Inputs are filled in place, run() fills the outputs in place. */
export interface ModelSession {
  readonly name: string;
  readonly provider: string;
  readonly inputs: Readonly<Record<string, Float32Array>>;
  readonly outputs: Readonly<Record<string, Float32Array>>;
  run(): Promise<void>;
  /** Idempotent; waits for a run in progress. */
  close(): Promise<void>;
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
}

/** @throws FaceOffError `model_unusable` when ONNX Runtime does not take the model. */
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
    throw new FaceOffError('model_unusable', `ONNX Runtime cannot use the model ${entry.name}: ${String(cause)}`, {
      cause,
    });
  }
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

class CpuSession implements ModelSession {
  readonly name: string;
  readonly provider = 'cpu';
  readonly inputs: Record<string, Float32Array>;
  readonly outputs: Record<string, Float32Array>;
  readonly #session: InferenceSession;
  readonly #feeds: Record<string, Tensor>;
  readonly #fetches: Record<string, Tensor>;
  #running: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | null = null;

  constructor(entry: ModelShape, session: InferenceSession, { bind = {}, doubles = {} }: SessionOptions) {
    this.name = entry.name;
    this.#session = session;
    const tensors = (
      list: ModelEntry['inputs'],
      own: Record<string, Float32Array>,
    ): [Record<string, Float32Array>, Record<string, Tensor>] => {
      const buffers = Object.fromEntries(
        list.map(({ name, shape }) => [name, own[name] ?? new Float32Array(sizeOf(shape))]),
      );
      return [
        buffers,
        Object.fromEntries(list.map(({ name, shape }) => [name, new Tensor('float32', buffers[name]!, shape)])),
      ];
    };
    [this.inputs, this.#feeds] = tensors(entry.inputs, bind);
    for (const [name, value] of Object.entries(doubles))
      this.#feeds[name] = new Tensor('float64', Float64Array.of(value), [1]);
    [this.outputs, this.#fetches] = tensors(entry.outputs, {});
  }

  async run(): Promise<void> {
    if (this.#closed !== null) throw new FaceOffError('model_closed', `The model ${this.name} was closed.`);
    // Given tensors as fetches, ONNX Runtime writes into their buffers.
    this.#running = this.#session.run(this.#feeds, this.#fetches);
    await this.#running;
  }

  close(): Promise<void> {
    this.#closed ??= this.#running.catch(() => undefined).then(() => this.#session.release());
    return this.#closed;
  }
}
