/**
 * Gathers the jobs of all faces and streams for one model into batches. No job waits for a batch to fill: the jobs that
 * arrive during a run form the next batch, earliest deadline first. So a lone stream loses nothing, and batches grow
 * with the load.
 *
 * The batch limit follows additive increase, multiplicative decrease (Crankshaw et al., Clipper, 2017): one more after
 * GROW_AFTER full batches that were all on time, half as many after a batch that missed a deadline or ran out of
 * memory. A job that is late before its run begins only shows overload, which smaller batches would make worse: the job
 * is dropped, and the streams' own ladders reduce the load.
 */

import { LONG_MS, tooLate, withinDeadline } from '../../lib/deadline.ts';
import { FaceOffError } from '../../shared/errors.ts';

/** One item of a batch: a picture, or the tiles of one. Exactly one of `done` and `fail` is called. */
export interface Job {
  /** Copied into the batch's inputs right before the run. */
  inputs: readonly Float32Array[];
  /** When the result becomes useless, on the batcher's clock. */
  deadlineMs: number;
  /** @param outputs valid during the call only: the next run overwrites them. @param ranMs duration of the batch. */
  done(outputs: readonly Float32Array[], ranMs: number): void;
  fail(error: unknown): void;
}

/** The model's session as a batcher sees it: item slots in the inputs and outputs. */
export interface BatchRunner {
  /** Runs the first `size` items of the inputs into the same items of the outputs. */
  run(size: number): Promise<void>;
  /** Copies a job's inputs into an item slot. */
  place(at: number, inputs: readonly Float32Array[]): void;
  /** Views of an item slot's outputs. */
  read(at: number): readonly Float32Array[];
}

/** Limits and events of a batcher; times are in milliseconds. */
export interface BatcherOptions {
  /** Most jobs in a run. */
  max: number;
  /** The first batch limit, as found by tuning. */
  start: number;
  /** A run longer than this counts as hung: the device is lost. No limit by default. */
  hungMs?: number;
  now?: () => number;
  /** Called when memory ran out, before the batch is retried in halves; frees what can be freed. */
  onOutOfMemory?: () => Promise<void>;
  /** @param waitMs how long the first job of the batch had waited. */
  onBatch?: (size: number, waitMs: number, ranMs: number) => void;
  /** Called for each job that is dropped because its deadline passed in the queue. */
  onLate?: () => void;
}

interface QueuedJob extends Job {
  sinceMs: number;
}

/** Full batches in a row, all on time, after which the batch limit grows by one. */
const GROW_AFTER = 8;

/** The batching queue of one model. Runs in the device process. */
export class Batcher {
  readonly #runner: BatchRunner;
  readonly #options: Required<BatcherOptions>;
  readonly #queue: QueuedJob[] = [];
  readonly #between: (() => Promise<void>)[] = [];
  #max: number;
  #limit: number;
  #onTime = 0;
  #running: Promise<void> | null = null;
  #closed = false;
  /** The error the device was lost with; no run succeeds after it. */
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

  /** Whether a run is in progress or about to start. */
  get busy(): boolean {
    return this.#running !== null;
  }

  /** Queues a job; after `close`, or once the device is lost, the job fails at once. */
  add(job: Job): void {
    if (this.#closed || this.#lost !== null) {
      job.fail(this.#lost ?? new FaceOffError('model_closed', 'The model was closed.'));
      return;
    }
    this.#queue.push({ ...job, sinceMs: this.#options.now() });
    this.#running ??= this.#drain();
  }

  /** Does work between two runs, before the next batch. */
  between(work: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#between.push(() => work().then(resolve, reject));
      this.#running ??= this.#drain();
    });
  }

  /** Sets both the largest batch and the current limit, as after a move to another session. */
  resize(max: number): void {
    this.#max = this.#limit = Math.max(1, max);
    this.#onTime = 0;
  }

  /** Idempotent; lets the run in progress finish, and fails the queued jobs with `model_closed`. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const job of this.#queue.splice(0)) job.fail(new FaceOffError('model_closed', 'The model was closed.'));
    await this.#running;
  }

  async #drain(): Promise<void> {
    // Jobs that arrive in the same pass of the event loop belong to one batch.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#queue.length + this.#between.length > 0) {
      for (const work of this.#between.splice(0)) await work();
      const batch = this.#nextBatch();
      if (batch.length > 0) await this.#runBatch(batch);
    }
    this.#running = null;
  }

  /** The jobs with the earliest deadlines, without those whose deadline has passed. */
  #nextBatch(): QueuedJob[] {
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

  async #runBatch(batch: QueuedJob[], isRetry = false): Promise<void> {
    const { now, onBatch, hungMs } = this.#options;
    const beganMs = now();
    try {
      for (const [at, job] of batch.entries()) this.#runner.place(at, job.inputs);
      await withinDeadline(this.#runner.run(batch.length), hungMs, hungError);
    } catch (error) {
      await this.#handleFailure(batch, error, isRetry);
      return;
    }
    const endedMs = now();
    onBatch(batch.length, beganMs - Math.min(...batch.map((job) => job.sinceMs)), endedMs - beganMs);
    for (const [at, job] of batch.entries()) job.done(this.#runner.read(at), endedMs - beganMs);
    this.#adjustLimit(batch, endedMs);
  }

  /** Out of memory: frees what can be freed and retries in halves, down to single jobs; a single job is tried twice. */
  async #handleFailure(batch: QueuedJob[], error: unknown, isRetry: boolean): Promise<void> {
    if (!isOutOfMemory(error) || (batch.length === 1 && isRetry)) {
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

  #adjustLimit(batch: QueuedJob[], endedMs: number): void {
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

/** Whether an error is the FaceOffError `out_of_memory`. */
export const isOutOfMemory = (error: unknown): boolean =>
  error instanceof FaceOffError && error.code === 'out_of_memory';

const isLost = (error: unknown): boolean => error instanceof FaceOffError && error.code === 'device_lost';

const hungError = (): FaceOffError => new FaceOffError('device_lost', 'A run of the model does not end.');
