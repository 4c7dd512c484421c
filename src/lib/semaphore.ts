/** A counting semaphore. */

/** A number of places, given out in the order in which they were asked for. */
export class Semaphore {
  readonly #waiting: ((leave: () => void) => void)[] = [];
  #free: number;

  constructor(count: number) {
    this.#free = count;
  }

  /** Resolves, once a place is free, to a function that gives it back; that function is idempotent. */
  take(): Promise<() => void> {
    if (this.#free === 0) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#free--;
    return Promise.resolve(this.#leave());
  }

  #leave(): () => void {
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next(this.#leave());
    };
  }
}
