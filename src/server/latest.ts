/** One works, one waits: a newer item takes the waiting one's place, which is counted as dropped. */

export class Latest<T> {
  readonly #work: (item: T) => Promise<void>;
  readonly #onDrop: () => void;
  #waiting: T | null = null;
  #working = false;

  /** @param work must not reject. */
  constructor(work: (item: T) => Promise<void>, onDrop: () => void) {
    this.#work = work;
    this.#onDrop = onDrop;
  }

  put(item: T): void {
    if (this.#waiting !== null) this.#onDrop();
    this.#waiting = item;
    if (!this.#working) void this.#run();
  }

  /** Lets go of the waiting item. */
  clear(): void {
    this.#waiting = null;
  }

  async #run(): Promise<void> {
    this.#working = true;
    while (this.#waiting !== null) {
      const item = this.#waiting;
      this.#waiting = null;
      await this.#work(item);
    }
    this.#working = false;
  }
}
