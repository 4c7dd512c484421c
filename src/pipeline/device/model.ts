/**
 * One model on the device: a session with room for the largest batch, its batcher, and who wants it. Fitted to the machine
 * when it is opened: every size of batch is run once before the first real one, and the best is found and remembered.
 */

import type { Ladder } from '../models/native/ladder.ts';
import type { NativeSession } from '../models/native/session.ts';
import { readChecked } from '../models/store.ts';
import { Batcher, type BatcherOptions, type BatchRunner, isOutOfMemory } from './batcher.ts';
import type { DeviceOptions, ModelSpec } from './protocol.ts';
import type { Tuning } from './tuning.ts';

export class DeviceModel {
  readonly spec: ModelSpec;
  readonly provider: string;
  readonly batcher: Batcher;
  readonly loadMs: number;
  /** Whether its best batch was known already. */
  readonly cached: boolean;
  /** Of a lone run. */
  usualMs: number;
  readonly #session: NativeSession;

  private constructor(
    ...[spec, session, batcher, load]: [
      ...[ModelSpec, NativeSession, Batcher, { loadMs: number; cached: boolean; usualMs: number }],
    ]
  ) {
    this.spec = spec;
    this.provider = session.provider;
    this.batcher = batcher;
    this.loadMs = load.loadMs;
    this.cached = load.cached;
    this.usualMs = load.usualMs;
    this.#session = session;
  }

  /** @throws FaceOffError `model_missing`, `model_differs`, `model_unusable`, `out_of_memory`. */
  static async open(
    ...[spec, options, { ladder, tuning }, hooks]: [
      ...[
        ModelSpec,
        DeviceOptions,
        { ladder: Ladder; tuning: Tuning },
        Pick<BatcherOptions, 'onBatch' | 'onLate' | 'onOutOfMemory'>,
      ],
    ]
  ): Promise<DeviceModel> {
    const beganMs = performance.now();
    const { shape, doubles, scalars } = spec;
    const { bytes, sha256 } = await readChecked(spec.file, shape.name, spec.sha256);
    const max = spec.open ? options.maxBatch : 1;
    const { threads } = options;
    const inputs = shape.inputs.map(({ name, shape }) => ({ name, shape, batched: !(name in scalars) }));
    const session = await ladder.open({
      ...{ name: shape.name, model: bytes, inputs, outputs: shape.outputs, doubles, threads, maxBatch: max },
    });
    for (const [name, value] of Object.entries(scalars)) session.inputs[name]!.fill(value);
    try {
      const known = options.tune ? await tuning.find(sha256, session.provider) : null;
      const fitted = await fitToMachine(session, max, options, known);
      if (options.tune && known === null) await tuning.keep(sha256, session.provider, fitted);
      const batcher = new Batcher(runnerOf(session, spec, max), { max: fitted.best, start: fitted.best, ...hooks });
      const loadMs = performance.now() - beganMs;
      return new DeviceModel(spec, session, batcher, { loadMs, cached: known !== null, usualMs: fitted.loneMs });
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  /** Idempotent; lets the run in hand finish. */
  async close(): Promise<void> {
    await this.batcher.close();
    await this.#session.close();
  }
}

/** What was found of a model on this machine. */
export interface Fitted {
  /** Batch with the most pictures a second; larger ones only cost time. */
  best: number;
  /** Milliseconds of a run of one. */
  loneMs: number;
}

/** A larger batch must bring so much more pictures a second to be called better. */
const BETTER = 1.05;

/** Runs every size that may come, so that none is slow when it first does, and finds the best unless it is known. */
async function fitToMachine(
  ...[session, max, { warmupRuns, budgetMs, tune }, known]: [NativeSession, number, DeviceOptions, Fitted | null]
): Promise<Fitted> {
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

/** Lays jobs side by side in the session's buffers, which hold `max` of them. */
function runnerOf(session: NativeSession, { shape, scalars }: ModelSpec, max: number): BatchRunner {
  const inputs = shape.inputs.filter(({ name }) => !(name in scalars)).map(({ name }) => session.inputs[name]!);
  const outputs = shape.outputs.map(({ name }) => session.outputs[name]!);
  let short = false;
  return {
    async run(size) {
      const shrink = short;
      try {
        // After a run without memory the arena gives back what it held for larger ones.
        await session.run(size, { shrink });
        short = false;
      } catch (error) {
        short = isOutOfMemory(error);
        throw error;
      }
    },
    place(at, given) {
      for (const [i, values] of given.entries()) inputs[i]!.set(values, at * (inputs[i]!.length / max));
    },
    read: (at) => outputs.map((all) => all.subarray((at * all.length) / max, ((at + 1) * all.length) / max)),
  };
}
