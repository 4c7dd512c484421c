/** What the streams of a lane have in common: its time, and whose turn it is to get more of it. In the lane's thread. */

import type { LaneFigures } from '../../shared/types.ts';

/** Between two steps up of any streams of a lane, so that the effect of one is seen before the next is made. */
const BETWEEN_STEPS_MS = 3000;
/** Figures are those of so long at least. */
const FIGURES_MS = 1000;

/** A stream as the others see it; pictures a second. */
export interface LaneUser {
  /** How many are swapped now. */
  readonly swappedFps: number;
  /** How many its camera gives. */
  readonly cameraFps: number;
}

export class LaneLoad {
  readonly users = new Set<LaneUser>();
  #figures = { busy: 0, frameMs: 0 };
  #from = { atMs: Number.NEGATIVE_INFINITY, busyMs: 0, frames: 0 };
  readonly #busyMs: (nowMs: number) => number;
  #steppedUpAtMs = Number.NEGATIVE_INFINITY;
  /** Frames the lane is done with since it began, of all streams. */
  frames = 0;

  /** @param busyMs milliseconds that the lane has worked since it began. */
  constructor(busyMs: (nowMs: number) => number) {
    this.#busyMs = busyMs;
  }

  /** Milliseconds that the lane has worked since it began. */
  busyMs(nowMs: number): number {
    return this.#busyMs(nowMs);
  }

  /** What it did in the last second or more. */
  figures(nowMs: number): LaneFigures {
    const { atMs, busyMs, frames } = this.#from;
    const passedMs = nowMs - atMs;
    if (passedMs >= FIGURES_MS) {
      const workedMs = this.busyMs(nowMs) - busyMs;
      const each = Math.max(1, this.frames - frames);
      // Not before the first second is over.
      if (atMs > 0) this.#figures = { busy: Math.min(1, workedMs / passedMs), frameMs: workedMs / each };
      this.#from = { atMs: nowMs, busyMs: this.busyMs(nowMs), frames: this.frames };
    }
    return { ...this.#figures, streams: this.users.size };
  }

  /** Frames a second that would come in addition if every stream had this rate at least, as far as its camera gives it. */
  toReach(fps: number): number {
    return [...this.users].reduce((sum, user) => sum + Math.max(0, Math.min(fps, user.cameraFps) - user.swappedFps), 0);
  }

  /** Whether a stream may step up now; if so it is the one that does. */
  mayStepUp(nowMs: number): boolean {
    if (nowMs - this.#steppedUpAtMs < BETWEEN_STEPS_MS) return false;
    this.#steppedUpAtMs = nowMs;
    return true;
  }
}
