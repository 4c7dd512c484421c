/** A frame's time: its deadline, what each stage took, and whether there is time for an optional stage. */

/** The stages of a frame, as metrics, statistics and the page name them. */
export type StageName =
  | 'detect'
  | 'landmark'
  | 'recognise'
  | 'swap'
  | 'restore'
  | 'background'
  | 'pixelate'
  | 'frame'
  | 'watermark';

/** Weight of the newest time in a stage's moving average, 0..1: a change shows by two thirds after ten frames. */
const NEWEST_WEIGHT = 0.1;

/** What each stage of a stream usually takes: exponentially weighted moving averages over its frames. */
export class Costs {
  readonly #usualMs = new Map<StageName, number>();
  readonly #shared: Costs | null;

  /**
   * @param shared averages over all streams of a lane, which stand in for a stage that this stream has not run yet.
   */
  constructor(shared: Costs | null = null) {
    this.#shared = shared;
  }

  /** Milliseconds; 0 for a stage that has not run yet. */
  of(stage: StageName): number {
    return this.#usualMs.get(stage) ?? this.#shared?.of(stage) ?? 0;
  }

  /** Counts one run of a stage. */
  note(stage: StageName, ms: number): void {
    this.#shared?.note(stage, ms);
    const usual = this.#usualMs.get(stage) ?? ms;
    this.#usualMs.set(stage, usual + (ms - usual) * NEWEST_WEIGHT);
  }
}

/** How long a frame may take. */
export interface BudgetOptions {
  /** When the frame came out of the decoder, on the clock of `now`. */
  receivedAtMs: number;
  /** How long it may take from there; Infinity has no deadline. */
  budgetMs: number;
  costs?: Costs;
  /** The clock, performance.now() by default. */
  now?: () => number;
}

/** The time of one frame, from its beginning in the lane. */
export class Budget {
  readonly #startedAtMs: number;
  readonly #deadlineMs: number;
  readonly #now: () => number;
  readonly #costs: Costs;
  readonly #stagesMs: Partial<Record<StageName, number>> = {};

  constructor({ receivedAtMs, budgetMs, costs = new Costs(), now = () => performance.now() }: BudgetOptions) {
    this.#now = now;
    this.#costs = costs;
    this.#startedAtMs = now();
    this.#deadlineMs = receivedAtMs + budgetMs;
  }

  /** What each stage that ran has taken so far, in milliseconds. The same object until the end of the frame. */
  get stagesMs(): Partial<Record<StageName, number>> {
    return this.#stagesMs;
  }

  /** Milliseconds left, negative when late. */
  get leftMs(): number {
    return this.#deadlineMs - this.#now();
  }

  /** Milliseconds since the budget was made. */
  get spentMs(): number {
    return this.#now() - this.#startedAtMs;
  }

  /** Whether an optional stage fits beside those that must still run, if all take what they usually take. */
  allows(stage: StageName, ...others: StageName[]): boolean {
    return [stage, ...others].reduce((sum, name) => sum + this.#costs.of(name), 0) <= this.leftMs;
  }

  /** Runs a stage and counts its time, also when it throws. */
  async stage<T>(name: StageName, work: () => T | Promise<T>): Promise<T> {
    const beganMs = this.#now();
    try {
      return await work();
    } finally {
      const ms = this.#now() - beganMs;
      this.#stagesMs[name] = (this.#stagesMs[name] ?? 0) + ms;
      this.#costs.note(name, ms);
    }
  }
}
