/**
 * One model on the device: a session with room for the largest batch, and its batcher. When a model is opened, every
 * batch size is run once before the first real picture, and the best size is measured and saved.
 */

import type { BuildProgress, EngineRequest } from '../inference/build-child.ts';
import type { ModelSpec } from '../inference/model-device.ts';
import type { NativeSession } from '../inference/native/native-session.ts';
import { readChecked } from '../models/model-store.ts';
import type { BatchTuning, TunedBatch } from './batch-tuning.ts';
import { Batcher, type BatcherOptions, type BatchRunner, isOutOfMemory } from './batcher.ts';
import type { DeviceOptions } from './device-protocol.ts';
import type { HeldModel, ModelOpener } from './model-opener.ts';

/** Events of a model, for the device's report. */
export interface ModelHooks extends Pick<BatcherOptions, 'onBatch' | 'onLate' | 'onOutOfMemory'> {
  /** The model moved to a better session, on that provider. */
  onMoved?: (provider: string) => void;
  /** A better session is being built, or (null) the build is over. */
  onBuild?: (progress: BuildProgress | null) => void;
  /** The build failed: the model stays on the session it has. */
  onBuildFailed?: (error: unknown) => void;
}

/** What DeviceModel.open takes beside the model itself; opener and tuning are shared by all models of the device. */
export interface ModelContext {
  options: DeviceOptions;
  opener: ModelOpener;
  tuning: BatchTuning;
  hooks: ModelHooks;
}

/** A run longer than this, and HUNG_TIMES longer than expected, counts as hung. */
const HUNG_MS = 60_000;
const HUNG_TIMES = 20;

/** A tuned batch, and whether it was found saved instead of measured. */
interface Tuned extends TunedBatch {
  known: boolean;
}

/** A model that is open on the device; shared by all lanes that ask for the same spec. */
export class DeviceModel {
  readonly spec: ModelSpec;
  readonly batcher: Batcher;
  /** Milliseconds from the request to the first possible run. */
  readonly loadMs: number;
  /** Whether an engine, an optimised model or a saved tuning was found in the cache. */
  readonly cached: boolean;
  /** Milliseconds of a run at batch 1. */
  usualMs: number;
  #held: HeldModel;
  #closed = false;

  private constructor(spec: ModelSpec, held: HeldModel, tuned: Tuned, own: { hooks: ModelHooks; loadMs: number }) {
    this.spec = spec;
    this.#held = held;
    this.loadMs = own.loadMs;
    this.cached = held.cached || tuned.known;
    this.usualMs = tuned.loneMs;
    const runner = runnerOf(() => this.#held.session, spec);
    const hungMs = Math.max(HUNG_MS, HUNG_TIMES * tuned.loneMs * tuned.best);
    this.batcher = new Batcher(runner, { max: tuned.best, start: tuned.best, hungMs, ...own.hooks });
  }

  /** @throws FaceOffError `model_missing`, `model_differs`, `model_unusable`, `out_of_memory`. */
  static async open(spec: ModelSpec, context: ModelContext): Promise<DeviceModel> {
    const beganMs = performance.now();
    const { sha256 } = await readChecked(spec.file, spec.shape.name, spec.sha256);
    const request = requestOf(spec, sha256, context.options);
    const held = await context.opener.openNow(request);
    const openedMs = performance.now() - beganMs;
    try {
      const tuned = await prepare(held.session, spec, sha256, context);
      const loadMs = performance.now() - beganMs;
      const model = new DeviceModel(spec, held, tuned, { hooks: context.hooks, loadMs });
      void model.#improve(request, openedMs, context);
      return model;
    } catch (error) {
      await held.close();
      throw error;
    }
  }

  /** The provider of the current session. */
  get provider(): string {
    return this.#held.session.provider;
  }

  /** Idempotent; lets the run in progress finish. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.batcher.close();
    await this.#held.close();
  }

  /** Moves to a better session once that is built; batches keep running meanwhile. */
  async #improve(request: EngineRequest, openedMs: number, context: ModelContext): Promise<void> {
    const { onBuild = () => undefined, onBuildFailed, onMoved } = context.hooks;
    try {
      const better = await context.opener.openBetter(request, this.#held, openedMs, onBuild);
      if (better === null) return;
      const tuned = await prepare(better.session, this.spec, request.sha256, context).catch(async (error) => {
        await better.close();
        throw error;
      });
      await this.batcher.between(async () => {
        const [old, kept] = this.#closed ? [better, this.#held] : [this.#held, better];
        this.#held = kept;
        await old.close();
      });
      if (this.#closed) return;
      this.usualMs = tuned.loneMs;
      this.batcher.resize(tuned.best);
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

/** Warms a session, and finds its best batch: saved, or measured and saved now. */
async function prepare(
  session: NativeSession,
  { scalars }: ModelSpec,
  sha256: string,
  { options, tuning }: ModelContext,
): Promise<Tuned> {
  for (const [name, value] of Object.entries(scalars)) session.inputs[name]!.fill(value);
  const known = options.tune ? await tuning.find(sha256, session.provider) : null;
  const tuned = await tune(session, options, known);
  if (options.tune && known === null) await tuning.save(sha256, session.provider, tuned);
  return { ...tuned, known: known !== null };
}

/** A larger batch counts as better from this many times the pictures a second. */
const BETTER = 1.05;

/**
 * Runs every batch size that may occur, so that none is slow at its first use, and measures the best unless it is
 * known.
 */
async function tune(
  session: NativeSession,
  { warmupRuns, budgetMs, tune: measures }: DeviceOptions,
  known: TunedBatch | null,
): Promise<TunedBatch> {
  const max = session.maxBatch;
  const timed = async (batches: number): Promise<number> => {
    const beganMs = performance.now();
    await session.run(batches);
    return performance.now() - beganMs;
  };
  for (let i = 0; i < warmupRuns; i++) await timed(1);
  const loneMs = known?.loneMs ?? Math.min(await timed(1), await timed(1));
  if (!measures || known !== null) {
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
    // A batch that exceeds the memory is too large: the best so far stands.
    if (!isOutOfMemory(error)) throw error;
  }
  return { best, loneMs };
}

/** Places jobs side by side in the buffers of the session that is current at each run. */
function runnerOf(currentSession: () => NativeSession, { shape, scalars }: ModelSpec): BatchRunner {
  const given = shape.inputs.filter(({ name }) => !(name in scalars)).map(({ name }) => name);
  const itemOf = (all: Float32Array, at: number): Float32Array => {
    const { maxBatch } = currentSession();
    return all.subarray((at * all.length) / maxBatch, ((at + 1) * all.length) / maxBatch);
  };
  let outOfMemory = false;
  return {
    async run(size) {
      const shrink = outOfMemory;
      try {
        // After a run without memory the arena frees what it kept for larger batches.
        await currentSession().run(size, { shrink });
        outOfMemory = false;
      } catch (error) {
        outOfMemory = isOutOfMemory(error);
        throw error;
      }
    },
    place(at, inputs) {
      for (const [i, values] of inputs.entries()) itemOf(currentSession().inputs[given[i]!]!, at).set(values);
    },
    read: (at) => shape.outputs.map(({ name }) => itemOf(currentSession().outputs[name]!, at)),
  };
}
