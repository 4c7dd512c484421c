/** Continues a counter of a few bits that wraps (RTP sequence numbers and timestamps) as a number that does not. */
export class Unwrapper {
  readonly #period: number;
  #last: number | null = null;

  /** @param bits width of the counter, 1 to 32. */
  constructor(bits: number) {
    this.#period = 2 ** bits;
  }

  /**
   * The extended value: of all that have the counter's bits, the one nearest to the value before.
   * @param value 0 to 2^bits − 1.
   */
  unwrap(value: number): number {
    if (this.#last === null) {
      this.#last = value;
      return value;
    }
    const period = this.#period;
    const step = (((value - this.#last) % period) + period) % period;
    this.#last += step < period / 2 ? step : step - period;
    return this.#last;
  }
}
