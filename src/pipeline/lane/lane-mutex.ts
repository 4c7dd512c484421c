/** A lane's memory belongs to one piece of work at a time; who waits for something else lets others in meanwhile. */

export class LaneMutex {
  readonly #waiting: (() => void)[] = [];
  #takenAtMs: number | null = null;
  #heldMs = 0;

  /** Milliseconds that anybody has had the turn, up to now. */
  heldMs(nowMs: number): number {
    return this.#heldMs + (this.#takenAtMs === null ? 0 : nowMs - this.#takenAtMs);
  }

  /** Does the work when it is its turn; turns come in the order they were asked for. */
  async run<T>(work: () => T | Promise<T>): Promise<Awaited<T>> {
    await this.#take();
    try {
      return await work();
    } finally {
      this.#give();
    }
  }

  /** For work that has the turn: gives it away until what it waits for is there. What it had in the memory may be gone. */
  readonly yieldWhile = async <T>(wait: Promise<T>): Promise<T> => {
    this.#give();
    try {
      return await wait;
    } finally {
      await this.#take();
    }
  };

  /** For work that has the turn: does several, each in turns of its own, and goes on when all are done. */
  readonly runConcurrently = async (works: readonly (() => Promise<void>)[]): Promise<void> => {
    if (works.length === 0) return;
    const done = await this.yieldWhile(Promise.allSettled(works.map((work) => this.run(work))));
    const failed = done.find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  };

  #take(): Promise<void> | undefined {
    if (this.#takenAtMs === null) {
      this.#takenAtMs = performance.now();
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #give(): void {
    const next = this.#waiting.shift();
    if (next !== undefined) {
      next();
      return;
    }
    this.#heldMs = this.heldMs(performance.now());
    this.#takenAtMs = null;
  }
}
