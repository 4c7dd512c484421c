/** Takes so many pictures a second, spaced as evenly as those that come allow. */

/** A picture that comes earlier than its time by so much of the time between two is taken: cameras are not exact. */
const EARLY = 0.15;

export class Pacer {
  /** Most pictures a second; Infinity takes all. */
  fps = Number.POSITIVE_INFINITY;
  #dueAtMs = Number.NEGATIVE_INFINITY;

  /** Whether a picture that comes now is one of them. */
  takes(atMs: number): boolean {
    if (this.fps === Number.POSITIVE_INFINITY) return true;
    const betweenMs = 1000 / this.fps;
    if (atMs < this.#dueAtMs - EARLY * betweenMs) return false;
    // On from when it was due, so that the rate is kept; after a pause from now.
    const fromMs = atMs - this.#dueAtMs > betweenMs ? atMs : this.#dueAtMs;
    this.#dueAtMs = fromMs + betweenMs;
    return true;
  }
}
