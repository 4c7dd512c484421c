/** A frame's time: its deadline, and what each stage took. */

export class Budget {
  readonly #startedAtMs: number;
  readonly #deadlineMs: number;
  readonly #now: () => number;
  readonly stagesMs: Record<string, number> = {};

  /** @param receivedAtMs when the frame came out of the decoder; @param budgetMs how long it may take from there. */
  constructor(receivedAtMs: number, budgetMs: number, now: () => number = () => performance.now()) {
    this.#now = now;
    this.#startedAtMs = now();
    this.#deadlineMs = receivedAtMs + budgetMs;
  }

  /** Milliseconds left, negative when late. */
  get leftMs(): number {
    return this.#deadlineMs - this.#now();
  }

  get spentMs(): number {
    return this.#now() - this.#startedAtMs;
  }

  /** Runs a stage and books its time under `name`, also when it throws. */
  async stage<T>(name: string, work: () => T | Promise<T>): Promise<T> {
    const beganMs = this.#now();
    try {
      return await work();
    } finally {
      this.stagesMs[name] = (this.stagesMs[name] ?? 0) + this.#now() - beganMs;
    }
  }
}
