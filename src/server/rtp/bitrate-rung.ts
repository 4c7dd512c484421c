/** Share of lost packets from which a report counts as bad, 0..1. */
const BAD_LOSS = 0.08;
/** Share up to which a report counts as good. */
const GOOD_LOSS = 0.02;
/** Bad reports in a row that lower the rung, and time of good ones that raises it, in milliseconds. */
const MOST_BAD = 3;
const GOOD_MS = 20_000;
/** A rise that did not hold makes the next one wait longer, up to this factor. */
const MOST_PATIENCE = 8;

/**
 * Which of two bit rates a receiver gets, from the loss that it reports: down after three bad reports in a row, up after
 * twenty seconds without a bad one, doubled after each rise that did not hold. The caller gives the time, in milliseconds.
 */
export class BitrateRung {
  #isLow = false;
  #bad = 0;
  #goodSinceMs: number | null = null;
  #patience = 1;
  #raisedAtMs = Number.NEGATIVE_INFINITY;

  /** Whether the lower bit rate is to be sent. */
  get isLow(): boolean {
    return this.#isLow;
  }

  /** Takes a report. @param loss share of the packets lost since the report before, 0..1. */
  observe(loss: number, nowMs: number): void {
    this.#bad = loss >= BAD_LOSS ? this.#bad + 1 : 0;
    if (loss > GOOD_LOSS) this.#goodSinceMs = null;
    else this.#goodSinceMs ??= nowMs;
    if (!this.#isLow && this.#bad >= MOST_BAD) {
      const heldMs = nowMs - this.#raisedAtMs;
      this.#patience = heldMs < 3 * GOOD_MS ? Math.min(MOST_PATIENCE, 2 * this.#patience) : 1;
      this.#isLow = true;
      this.#goodSinceMs = null;
    } else if (this.#isLow && this.#goodSinceMs !== null && nowMs - this.#goodSinceMs >= this.#patience * GOOD_MS) {
      this.#isLow = false;
      this.#raisedAtMs = nowMs;
    }
  }
}
