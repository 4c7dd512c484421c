/** A frame's time: its deadline, what each stage took, and whether there is time for one that can be left out. */

/** What the stages of a stream usually take, from frame to frame. */
export class Costs {
  readonly #usualMs = new Map<string, number>();
  readonly #others: Costs | null;

  /** @param others what they take for all streams of a lane, which one that begins goes by. */
  constructor(others: Costs | null = null) {
    this.#others = others;
  }

  /** Milliseconds; 0 for a stage that has not run yet. */
  of(stage: string): number {
    return this.#usualMs.get(stage) ?? this.#others?.of(stage) ?? 0;
  }

  note(stage: string, ms: number): void {
    this.#others?.note(stage, ms);
    const usual = this.#usualMs.get(stage) ?? ms;
    this.#usualMs.set(stage, usual + (ms - usual) * FOLLOW);
  }
}

const FOLLOW = 0.1;

export class Budget {
  readonly #startedAtMs: number;
  readonly #deadlineMs: number;
  readonly #now: () => number;
  readonly #costs: Costs;
  readonly stagesMs: Record<string, number> = {};

  /** @param receivedAtMs when the frame came out of the decoder; @param budgetMs how long it may take from there. */
  constructor(
    ...[receivedAtMs, budgetMs, costs = new Costs(), now = () => performance.now()]: [
      number,
      number,
      Costs?,
      (() => number)?,
    ]
  ) {
    this.#now = now;
    this.#costs = costs;
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

  /** Whether a stage that may be left out fits beside those that may not, all taking what they usually take. */
  allows(stage: string, ...others: string[]): boolean {
    return [stage, ...others].reduce((sum, name) => sum + this.#costs.of(name), 0) <= this.leftMs;
  }

  /** Runs a stage and books its time under `name`, also when it throws. */
  async stage<T>(name: string, work: () => T | Promise<T>): Promise<T> {
    const beganMs = this.#now();
    try {
      return await work();
    } finally {
      const ms = this.#now() - beganMs;
      this.stagesMs[name] = (this.stagesMs[name] ?? 0) + ms;
      this.#costs.note(name, ms);
    }
  }
}
