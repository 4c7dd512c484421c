/**
 * One works, one waits: a newer item takes the waiting one's place, which is counted as dropped. Which item is worked on is
 * decided when there is a place for it, not before, so that it is the newest.
 */

export class NewestWins<T> {
  readonly #work: (item: T) => Promise<void>;
  readonly #place: (() => Promise<() => void>) | null;
  readonly #onDrop: (item: T) => void;
  #waiting: T | null = null;
  #working = false;

  /**
   * @param work must not reject.
   * @param place resolves when there is a place to work in, to what gives it back; left out there always is one.
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

  put(item: T): void {
    if (this.#waiting !== null) this.#onDrop(this.#waiting);
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
      const leave = this.#place === null ? null : await this.#place();
      const item = this.#waiting as T | null;
      this.#waiting = null;
      // It may have been let go of meanwhile.
      if (item !== null) await this.#work(item);
      leave?.();
    }
    this.#working = false;
  }
}
