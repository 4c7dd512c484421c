/**
 * Gathers what all faces and streams ask of one model into batches. Nothing waits for a batch to fill: what comes while a
 * run is going on makes the next one, most urgent first. So a lone stream loses nothing, and batches grow with the load.
 *
 * How large they may grow is found by additive increase, multiplicative decrease (Crankshaw et al., Clipper, 2017): one
 * more after some full batches that were all on time, half as many after one that made somebody late or ran out of memory.
 * What was too late before it began says only that too much is asked, which smaller batches would make worse: it is left
 * out, and the streams' own ladders ask for less.
 */

import { LONG_MS, tooLate, withinDeadline } from '../../lib/deadline.ts';
import { FaceOffError } from '../../shared/errors.ts';

/** One question: a picture, or the tiles of one. */
export interface Job {
  /** Copied into the batch's inputs when its turn comes. */
  inputs: readonly Float32Array[];
  /** When the answer is no longer of use, on the batcher's clock. */
  deadlineMs: number;
  /** @param outputs to be copied: they are written anew by the next run. */
  done(outputs: readonly Float32Array[], ranMs: number): void;
  fail(error: unknown): void;
}

/** What runs the batches. */
export interface BatchRunner {
  /** Runs the first `size` places of the inputs; the outputs are those of the same places. */
  run(size: number): Promise<void>;
  place(at: number, inputs: readonly Float32Array[]): void;
  read(at: number): readonly Float32Array[];
}

export interface BatcherOptions {
  /** Most jobs in a run. */
  max: number;
  /** What to begin with, as found by tuning. */
  start: number;
  /** A run that takes so long never ends: the device is lost. No limit unless told. */
  hungMs?: number;
  now?: () => number;
  /** Memory ran out: gives back what can be given back. */
  onOutOfMemory?: () => Promise<void>;
  onBatch?: (size: number, waitMs: number, ranMs: number) => void;
  onLate?: () => void;
}

interface Waiting extends Job {
  sinceMs: number;
}

/** So many full batches in a row that were on time allow a larger one. */
const GROW_AFTER = 8;

export class Batcher {
  readonly #runner: BatchRunner;
  readonly #options: Required<BatcherOptions>;
  readonly #queue: Waiting[] = [];
  readonly #between: (() => Promise<void>)[] = [];
  #max: number;
  #limit: number;
  #onTime = 0;
  #running: Promise<void> | null = null;
  #closed = false;
  /** Nothing runs here any more. */
  #lost: unknown = null;

  constructor(runner: BatchRunner, options: BatcherOptions) {
    this.#runner = runner;
    const rest = { hungMs: LONG_MS, now: () => performance.now(), onOutOfMemory: async () => undefined };
    this.#options = { ...rest, onBatch: () => undefined, onLate: () => undefined, ...options };
    this.#max = options.max;
    this.#limit = Math.min(options.max, Math.max(1, options.start));
  }

  /** Largest batch allowed now. */
  get limit(): number {
    return this.#limit;
  }

  get busy(): boolean {
    return this.#running !== null;
  }

  add(job: Job): void {
    if (this.#closed || this.#lost !== null) {
      job.fail(this.#lost ?? new FaceOffError('model_closed', 'The model was closed.'));
      return;
    }
    this.#queue.push({ ...job, sinceMs: this.#options.now() });
    this.#running ??= this.#work();
  }

  /** Does something while nothing runs, before the next batch. */
  between(work: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#between.push(() => work().then(resolve, reject));
      this.#running ??= this.#work();
    });
  }

  /** From now on batches may be as large as this, and are. */
  resize(max: number): void {
    this.#max = this.#limit = Math.max(1, max);
    this.#onTime = 0;
  }

  /** Idempotent; lets the run in hand finish, the rest is told that it is closed. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const job of this.#queue.splice(0)) job.fail(new FaceOffError('model_closed', 'The model was closed.'));
    await this.#running;
  }

  async #work(): Promise<void> {
    // What arrives in the same turn of the event loop belongs together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#queue.length + this.#between.length > 0) {
      for (const work of this.#between.splice(0)) await work();
      const batch = this.#take();
      if (batch.length > 0) await this.#runBatch(batch);
    }
    this.#running = null;
  }

  /** The most urgent jobs that are still of use. */
  #take(): Waiting[] {
    const nowMs = this.#options.now();
    for (let i = this.#queue.length - 1; i >= 0; i--) {
      if (this.#queue[i]!.deadlineMs > nowMs) continue;
      const [late] = this.#queue.splice(i, 1);
      late!.fail(tooLate());
      this.#options.onLate();
    }
    this.#queue.sort((a, b) => a.deadlineMs - b.deadlineMs);
    return this.#queue.splice(0, this.#limit);
  }

  async #runBatch(batch: Waiting[], again = false): Promise<void> {
    const { now, onBatch, hungMs } = this.#options;
    const beganMs = now();
    try {
      for (const [at, job] of batch.entries()) this.#runner.place(at, job.inputs);
      await withinDeadline(this.#runner.run(batch.length), hungMs, hung);
    } catch (error) {
      await this.#failed(batch, error, again);
      return;
    }
    const endedMs = now();
    onBatch(batch.length, beganMs - Math.min(...batch.map((job) => job.sinceMs)), endedMs - beganMs);
    for (const [at, job] of batch.entries()) job.done(this.#runner.read(at), endedMs - beganMs);
    this.#learn(batch, endedMs);
  }

  /** Out of memory: free what can be freed, and again in halves, down to one at a time; one alone is tried twice. */
  async #failed(batch: Waiting[], error: unknown, again: boolean): Promise<void> {
    if (!isOutOfMemory(error) || (batch.length === 1 && again)) {
      if (isLost(error)) this.#lost = error;
      const all = isLost(error) ? [...batch, ...this.#queue.splice(0)] : batch;
      for (const job of all) job.fail(error);
      return;
    }
    this.#onTime = 0;
    this.#limit = Math.max(1, Math.min(this.#limit, batch.length >> 1));
    await this.#options.onOutOfMemory();
    const half = Math.ceil(batch.length / 2);
    await this.#runBatch(batch.slice(0, half), batch.length === 1);
    if (batch.length > half) await this.#runBatch(batch.slice(half));
  }

  #learn(batch: Waiting[], endedMs: number): void {
    if (batch.some((job) => job.deadlineMs < endedMs)) {
      this.#shrink();
    } else if (batch.length === this.#limit && ++this.#onTime >= GROW_AFTER) {
      this.#onTime = 0;
      this.#limit = Math.min(this.#max, this.#limit + 1);
    }
  }

  #shrink(): void {
    this.#onTime = 0;
    this.#limit = Math.max(1, Math.floor(this.#limit / 2));
  }
}

export const isOutOfMemory = (error: unknown): boolean =>
  error instanceof FaceOffError && error.code === 'out_of_memory';

const isLost = (error: unknown): boolean => error instanceof FaceOffError && error.code === 'device_lost';

const hung = (): FaceOffError => new FaceOffError('device_lost', 'A run of the model does not end.', { status: 503 });
