/** The lock on a lane's memory and state. */

/**
 * A first-come, first-served mutex whose holder can yield it while it awaits something. Counts how long it is held:
 * that is the lane's work.
 */
export class LaneMutex {
  readonly #waiting: (() => void)[] = [];
  /** When the current hold began; null while the mutex is free. */
  #heldSinceMs: number | null = null;
  #heldMs = 0;

  /** Milliseconds that the mutex has been held, up to now, on performance.now()'s clock. */
  heldMs(nowMs: number): number {
    return this.#heldMs + (this.#heldSinceMs === null ? 0 : nowMs - this.#heldSinceMs);
  }

  /** Runs work with the mutex held, in the order of the calls. Rejects with what the work throws. */
  async run<T>(work: () => T | Promise<T>): Promise<Awaited<T>> {
    await this.#acquire();
    try {
      return await work();
    } finally {
      this.#release();
    }
  }

  /**
   * Called by the holder: releases the mutex until `wait` settles and it is this caller's turn again. Other work
   * may have replaced what was in the lane's memory by then.
   */
  readonly yieldWhile = async <T>(wait: Promise<T>): Promise<T> => {
    this.#release();
    try {
      return await wait;
    } finally {
      await this.#acquire();
    }
  };

  /**
   * Called by the holder: yields to several jobs, each of which takes the mutex in turn, and goes on when all are
   * done. Rejects with the first job's error, in the order of `jobs`.
   */
  readonly runConcurrently = async (jobs: readonly (() => Promise<void>)[]): Promise<void> => {
    if (jobs.length === 0) return;
    const settled = await this.yieldWhile(Promise.allSettled(jobs.map((job) => this.run(job))));
    const failed = settled.find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  };

  /** Takes the free mutex at once, without a promise; otherwise queues for it. */
  #acquire(): Promise<void> | undefined {
    if (this.#heldSinceMs === null) {
      this.#heldSinceMs = performance.now();
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Hands the mutex to the next in the queue, or frees it. */
  #release(): void {
    const next = this.#waiting.shift();
    if (next !== undefined) {
      next();
      return;
    }
    this.#heldMs = this.heldMs(performance.now());
    this.#heldSinceMs = null;
  }
}
