/** A queue of one item. */

/**
 * Processes one item at a time while one more waits: a newer item replaces the waiting one, which is dropped. The item to
 * process is chosen only when a place is free, so that it is the newest.
 */
export class NewestWins<T> {
  readonly #work: (item: T) => Promise<void>;
  readonly #place: (() => Promise<() => void>) | null;
  readonly #onDrop: (item: T) => void;
  #waiting: T | null = null;
  #isWorking = false;

  /**
   * @param work processes an item; must not reject.
   * @param onDrop receives each item that a newer one replaced.
   * @param place resolves, when a place is free, to a function that gives it back; null where there always is a place.
   */
  constructor(
    work: (item: T) => Promise<void>,
    onDrop: (item: T) => void,
    place: (() => Promise<() => void>) | null = null,
  ) {
    this.#work = work;
    this.#onDrop = onDrop;
    this.#place = place;
  }

  /** Adds an item. Returns at once. */
  put(item: T): void {
    if (this.#waiting !== null) this.#onDrop(this.#waiting);
    this.#waiting = item;
    if (!this.#isWorking) void this.#run();
  }

  /** Forgets the waiting item, without `onDrop`. */
  clear(): void {
    this.#waiting = null;
  }

  async #run(): Promise<void> {
    this.#isWorking = true;
    while (this.#waiting !== null) {
      const leave = this.#place === null ? null : await this.#place();
      const item = this.#waiting as T | null;
      this.#waiting = null;
      // The item may have been cleared while this waited for a place.
      if (item !== null) await this.#work(item);
      leave?.();
    }
    this.#isWorking = false;
  }
}
