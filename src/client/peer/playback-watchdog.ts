/** Whether pictures come. No DOM, so it is tested as it is. */

/** Streams of a few frames a second are alive, too. */
const AWAY_AFTER_MS = 3000;

export class PlaybackWatchdog {
  #frames = 0;
  #movedAtMs = Number.NEGATIVE_INFINITY;

  /** @param frames pictures shown so far; fewer than before means another stream. */
  beat(frames: number, nowMs: number): boolean {
    if (frames > 0 && frames !== this.#frames) this.#movedAtMs = nowMs;
    this.#frames = frames;
    return nowMs - this.#movedAtMs < AWAY_AFTER_MS;
  }
}
