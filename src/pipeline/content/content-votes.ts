/** Checks in a row above the threshold that block the picture, and checks in a row below it that end that. */
const TO_BLOCK = 3;
const TO_END = 5;

/** Whether a stream's picture is blocked, by the scores of its last checks. Pure. */
export class ContentVotes {
  readonly #threshold: number;
  /** Last scores in a row on the side that would change `isBlocked`. */
  #against = 0;
  #isBlocked = false;

  /** @param threshold score above which a check votes to block, 0..1. */
  constructor(threshold: number) {
    this.#threshold = threshold;
  }

  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  /** Whether the last checks voted to block, but not enough of them yet. */
  get isSuspicious(): boolean {
    return !this.#isBlocked && this.#against > 0;
  }

  /** Counts a check. @param score 0..1. @returns whether `isBlocked` changed. */
  observe(score: number): boolean {
    const isVoteToBlock = score > this.#threshold;
    this.#against = isVoteToBlock === this.#isBlocked ? 0 : this.#against + 1;
    if (this.#against < (this.#isBlocked ? TO_END : TO_BLOCK)) return false;
    this.#isBlocked = !this.#isBlocked;
    this.#against = 0;
    return true;
  }
}
