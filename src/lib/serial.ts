/**
 * Runs asynchronous jobs one at a time, in the order in which they were added. Works on any thread; needs no
 * closing.
 */
export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve();

  /**
   * Runs a job after all jobs added before it. Settles as the job settles; a job that rejects does not stop the
   * next ones.
   */
  run<T>(job: () => T | Promise<T>): Promise<T> {
    const done = this.#last.then(job);
    this.#last = done.catch(() => undefined);
    return done;
  }

  /** Resolves when every job added up to now has settled; never rejects. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
