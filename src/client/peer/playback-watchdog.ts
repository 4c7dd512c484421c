/** Playback watchdog. Free of the DOM, for tests. */

/** Long enough for streams of a few frames a second. */
const STALLED_AFTER_MS = 3000;

/** Reports a stall after three seconds without a new frame. */
export class PlaybackWatchdog {
  #frames = 0;
  #movedAtMs = Number.NEGATIVE_INFINITY;

  /**
   * Whether the video plays; asked a few times a second.
   * @param frames frames shown so far; fewer than before means another stream.
   */
  beat(frames: number, nowMs: number): boolean {
    if (frames > 0 && frames !== this.#frames) this.#movedAtMs = nowMs;
    this.#frames = frames;
    return nowMs - this.#movedAtMs < STALLED_AFTER_MS;
  }
}
