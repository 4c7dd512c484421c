/** Tolerance for early frames, as a share of the time between two frames: cameras are not exact. */
const EARLY = 0.15;

/** Limits a stream to a number of frames per second, as evenly spaced as the incoming frames allow. */
export class Pacer {
  /** Most frames per second; Infinity admits all. */
  fps = Number.POSITIVE_INFINITY;
  #dueAtMs = Number.NEGATIVE_INFINITY;

  /** Whether to admit a frame that arrives now. @param atMs its time of arrival, in milliseconds. */
  takes(atMs: number): boolean {
    if (this.fps === Number.POSITIVE_INFINITY) return true;
    const betweenMs = 1000 / this.fps;
    if (atMs < this.#dueAtMs - EARLY * betweenMs) return false;
    // Counting from the time when the frame was due keeps the rate; after a pause it counts from now.
    const fromMs = atMs - this.#dueAtMs > betweenMs ? atMs : this.#dueAtMs;
    this.#dueAtMs = fromMs + betweenMs;
    return true;
  }
}
