/** What the streams of a lane share: its time, and the order in which they get more of it. */

import type { LaneFigures } from '../../shared/types.ts';

/** Least time between two steps up of any streams of a lane, so that the effect of one shows before the next. */
const BETWEEN_STEPS_MS = 3000;
/** Figures cover at least this long. */
const FIGURES_MS = 1000;

/** A stream as the others of its lane see it; rates in frames a second. */
export interface LaneUser {
  /** The rate that is swapped now. */
  readonly swappedFps: number;
  /** The rate that its camera gives. */
  readonly cameraFps: number;
}

/** The load of one lane, over all its streams. Lives in the lane's thread. */
export class LaneLoad {
  readonly users = new Set<LaneUser>();
  #figures = { busy: 0, frameMs: 0 };
  /** Where the current figures began to be counted. */
  #since = { atMs: Number.NEGATIVE_INFINITY, busyMs: 0, frames: 0 };
  readonly #busyMs: (nowMs: number) => number;
  #steppedUpAtMs = Number.NEGATIVE_INFINITY;
  /** Frames of all streams that the lane has done since it began. */
  frames = 0;

  /** @param busyMs milliseconds that the lane has worked since it began. */
  constructor(busyMs: (nowMs: number) => number) {
    this.#busyMs = busyMs;
  }

  /** Milliseconds that the lane has worked since it began. */
  busyMs(nowMs: number): number {
    return this.#busyMs(nowMs);
  }

  /** What the lane did in the last FIGURES_MS or more. */
  figures(nowMs: number): LaneFigures {
    const { atMs, busyMs, frames } = this.#since;
    const passedMs = nowMs - atMs;
    if (passedMs >= FIGURES_MS) {
      const workedMs = this.busyMs(nowMs) - busyMs;
      const each = Math.max(1, this.frames - frames);
      // The first call only begins the count.
      if (atMs > 0) this.#figures = { busy: Math.min(1, workedMs / passedMs), frameMs: workedMs / each };
      this.#since = { atMs: nowMs, busyMs: this.busyMs(nowMs), frames: this.frames };
    }
    return { ...this.#figures, streams: this.users.size };
  }

  /** Frames a second to add so that every stream is swapped at this rate, or at its camera's if that is lower. */
  missingFps(fps: number): number {
    return [...this.users].reduce((sum, user) => sum + Math.max(0, Math.min(fps, user.cameraFps) - user.swappedFps), 0);
  }

  /** Whether a stream may step up now; true counts as that step. */
  mayStepUp(nowMs: number): boolean {
    if (nowMs - this.#steppedUpAtMs < BETWEEN_STEPS_MS) return false;
    this.#steppedUpAtMs = nowMs;
    return true;
  }
}
