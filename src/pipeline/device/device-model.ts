/**
 * One model on the device: a session with room for the largest batch, its batcher, and who wants it. Fitted to the machine
 * when it is opened: every size of batch is run once before the first real one, and the best is found and remembered.
 */

import type { BuildProgress, EngineRequest } from '../inference/build-child.ts';
import type { NativeSession } from '../inference/native/native-session.ts';
import { readChecked } from '../models/model-store.ts';
import type { BatchTuning } from './batch-tuning.ts';
import { Batcher, type BatcherOptions, type BatchRunner, isOutOfMemory } from './batcher.ts';
import type { DeviceOptions, ModelSpec } from './device-protocol.ts';
import type { HeldModel, ModelOpener } from './model-opener.ts';

export interface ModelHooks extends Pick<BatcherOptions, 'onBatch' | 'onLate' | 'onOutOfMemory'> {
  /** The model moved to something better. */
  onMoved?: (provider: string) => void;
  /** What is better is being built, or (null) no longer. */
  onBuild?: (progress: BuildProgress | null) => void;
  /** It could not be built: the model stays where it is. */
  onBuildFailed?: (error: unknown) => void;
}

/** A run that takes so long, and so many times longer than it should, will not end any more. */
const HUNG_MS = 60_000;
const HUNG_TIMES = 20;

interface Parts {
  opener: ModelOpener;
  tuning: BatchTuning;
}

export class DeviceModel {
  readonly spec: ModelSpec;
  readonly batcher: Batcher;
  readonly loadMs: number;
  /** Whether what had to be prepared was found prepared. */
  readonly cached: boolean;
  /** Of a lone run. */
  usualMs: number;
  #held: HeldModel;
  #closed = false;

  private constructor(
    ...[spec, held, fitted, hooks, loadMs]: [ModelSpec, HeldModel, TunedBatch & { known: boolean }, ModelHooks, number]
  ) {
    this.spec = spec;
    this.#held = held;
    this.loadMs = loadMs;
    this.cached = held.cached || fitted.known;
    this.usualMs = fitted.loneMs;
    const runner = runnerOf(() => this.#held.session, spec);
    const hungMs = Math.max(HUNG_MS, HUNG_TIMES * fitted.loneMs * fitted.best);
    this.batcher = new Batcher(runner, { max: fitted.best, start: fitted.best, hungMs, ...hooks });
  }

  /** @throws FaceOffError `model_missing`, `model_differs`, `model_unusable`, `out_of_memory`. */
  static async open(
    ...[spec, options, parts, hooks]: [ModelSpec, DeviceOptions, Parts, ModelHooks]
  ): Promise<DeviceModel> {
    const beganMs = performance.now();
    const { sha256 } = await readChecked(spec.file, spec.shape.name, spec.sha256);
    const request = requestOf(spec, sha256, options);
    const held = await parts.opener.now(request);
    const openedMs = performance.now() - beganMs;
    try {
      const fitted = await prepare(held.session, request, options, parts.tuning, spec);
      const model = new DeviceModel(spec, held, fitted, hooks, performance.now() - beganMs);
      void model.#improve(request, openedMs, options, parts, hooks);
      return model;
    } catch (error) {
      await held.close();
      throw error;
    }
  }

  /** What it runs on now. */
  get provider(): string {
    return this.#held.session.provider;
  }

  /** Idempotent; lets the run in hand finish. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.batcher.close();
    await this.#held.close();
  }

  /** Moves to what is better once that is made; the batches go on meanwhile. */
  async #improve(
    ...[request, openedMs, options, { opener, tuning }, hooks]: [
      ...[EngineRequest, number, DeviceOptions, Parts, ModelHooks],
    ]
  ): Promise<void> {
    const { onBuild = () => undefined, onBuildFailed, onMoved } = hooks;
    try {
      const better = await opener.better(request, this.#held, openedMs, onBuild);
      if (better === null) return;
      const fitted = await prepare(better.session, request, options, tuning, this.spec).catch(async (error) => {
        await better.close();
        throw error;
      });
      await this.batcher.between(async () => {
        const [old, wanted] = this.#closed ? [better, this.#held] : [this.#held, better];
        this.#held = wanted;
        await old.close();
      });
      if (this.#closed) return;
      this.usualMs = fitted.loneMs;
      this.batcher.resize(fitted.best);
      onMoved?.(this.provider);
    } catch (error) {
      onBuildFailed?.(error);
    }
  }
}

function requestOf(
  { file, shape, doubles, scalars, open }: ModelSpec,
  sha256: string,
  options: DeviceOptions,
): EngineRequest {
  const inputs = shape.inputs.map((one) => ({ name: one.name, shape: one.shape, batched: !(one.name in scalars) }));
  const { name, outputs } = shape;
  return { name, file, sha256, inputs, outputs, doubles, maxBatch: open ? options.maxBatch : 1 };
}

/** Warms a session and finds its best batch, or remembers it. */
async function prepare(
  ...[session, { sha256 }, options, tuning, { scalars }]: [
    ...[NativeSession, EngineRequest, DeviceOptions, BatchTuning, ModelSpec],
  ]
): Promise<TunedBatch & { known: boolean }> {
  for (const [name, value] of Object.entries(scalars)) session.inputs[name]!.fill(value);
  const known = options.tune ? await tuning.find(sha256, session.provider) : null;
  const fitted = await fitToMachine(session, options, known);
  if (options.tune && known === null) await tuning.keep(sha256, session.provider, fitted);
  return { ...fitted, known: known !== null };
}

/** What was found of a model on this machine. */
export interface TunedBatch {
  /** Batch with the most pictures a second; larger ones only cost time. */
  best: number;
  /** Milliseconds of a run of one. */
  loneMs: number;
}

/** A larger batch must bring so much more pictures a second to be called better. */
const BETTER = 1.05;

/** Runs every size that may come, so that none is slow when it first does, and finds the best unless it is known. */
async function fitToMachine(
  ...[session, { warmupRuns, budgetMs, tune }, known]: [NativeSession, DeviceOptions, TunedBatch | null]
): Promise<TunedBatch> {
  const max = session.maxBatch;
  const timed = async (batches: number): Promise<number> => {
    const beganMs = performance.now();
    await session.run(batches);
    return performance.now() - beganMs;
  };
  for (let i = 0; i < warmupRuns; i++) await timed(1);
  const loneMs = known?.loneMs ?? Math.min(await timed(1), await timed(1));
  if (!tune || known !== null) {
    const best = Math.min(max, known?.best ?? max);
    for (let size = 2; size <= best; size++) await timed(size);
    return { best, loneMs };
  }
  let [best, rate] = [1, 1 / loneMs];
  try {
    for (let size = 2; size <= max && 2 * loneMs < budgetMs; size++) {
      await timed(size);
      const ms = Math.min(await timed(size), await timed(size));
      if (ms > budgetMs) break;
      if (size / ms > BETTER * rate) [best, rate] = [size, size / ms];
    }
  } catch (error) {
    // No memory for so many: then they are too many.
    if (!isOutOfMemory(error)) throw error;
  }
  return { best, loneMs };
}

/** Lays jobs side by side in the buffers of whatever session there is. */
function runnerOf(sessionNow: () => NativeSession, { shape, scalars }: ModelSpec): BatchRunner {
  const given = shape.inputs.filter(({ name }) => !(name in scalars)).map(({ name }) => name);
  const share = (all: Float32Array, at: number): Float32Array => {
    const { maxBatch } = sessionNow();
    return all.subarray((at * all.length) / maxBatch, ((at + 1) * all.length) / maxBatch);
  };
  let short = false;
  return {
    async run(size) {
      const shrink = short;
      try {
        // After a run without memory the arena gives back what it held for larger ones.
        await sessionNow().run(size, { shrink });
        short = false;
      } catch (error) {
        short = isOutOfMemory(error);
        throw error;
      }
    },
    place(at, inputs) {
      for (const [i, values] of inputs.entries()) share(sessionNow().inputs[given[i]!]!, at).set(values);
    },
    read: (at) => shape.outputs.map(({ name }) => share(sessionNow().outputs[name]!, at)),
  };
}
