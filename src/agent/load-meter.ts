import { type Capacity, MOST_BUSY } from '../shared/types.ts';

/** Smoothing factor (EWMA) of the lanes' share, per observation. */
const FOLLOW = 0.3;
/** What each rung of the quality ladder adds: a worker that lowers quality has no time for another job. */
const RUNG = 0.2;
/** Rate that a new job is planned with, per second. */
const FPS = 30;
/** Share of a worker that a job takes, until a swap was measured, and at least: a picture may hold no face now. */
const UNMEASURED = 0.25;
const LEAST_SHARE = 0.01;

/**
 * The load of a worker, 0..1: the lanes' smoothed busy share of what may be planned with, the rung of the worst session, and
 * the jobs that were accepted and do not show in the lanes yet. Pure, but for what it remembers.
 */
export class LoadMeter {
  #busy = 0;
  #rung = 0;
  #jobShare = UNMEASURED;

  /**
   * Takes what the lanes say; at regular times.
   * @param level place of the worst session on the ladder, 0 = full quality.
   * @param settled number of jobs that show in the lanes.
   */
  observe({ swapMs, lanes }: Capacity, level: number, settled: number): void {
    const busy = lanes.reduce((sum, share) => sum + share, 0) / Math.max(1, lanes.length) / MOST_BUSY;
    this.#busy += FOLLOW * (busy - this.#busy);
    this.#rung = RUNG * level;
    // What jobs here take is known best from those that run, before that from the warm-up.
    if (settled > 0) this.#jobShare += FOLLOW * (Math.max(LEAST_SHARE, busy / settled) - this.#jobShare);
    else if (swapMs !== null) this.#jobShare = (FPS * swapMs) / 1000 / Math.max(1, lanes.length) / MOST_BUSY;
  }

  /** Share of the worker that one more job is planned with. */
  get jobShare(): number {
    return this.#jobShare;
  }

  /** @param pending number of jobs that were accepted and have not begun. */
  load(pending: number): number {
    return Math.min(1, this.#busy + this.#rung + pending * this.#jobShare);
  }
}
