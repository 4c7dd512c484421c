/**
 * The controller that moves one stream along the ladder of plans.
 *
 * Two corrections exist, and only one is here. A single frame that comes too late is the emergency: the newest-wins
 * hand-off drops it. The trend is the controller's: it counts those drops, because a machine that is full drops
 * frames second after second, while a cold start, a garbage collection or a neighbour's hiccup drops some and is
 * over. The age of frames is not used, as it tells neither.
 */

import { MOST_BUSY } from '../../shared/types.ts';
import type { LaneLoad, LaneUser } from './lane-load.ts';
import { costsAlike, LEAST_FPS, ladderFor, type Plan, paintsAlike } from './quality-ladder.ts';

/** What the controller is told of each frame that a lane has done or left out. Times of `performance.now()`. */
export interface Observation {
  /** When the lane was done with it. */
  nowMs: number;
  /** Frames dropped since the last one for want of time: a newer one took their place, or they came too late. */
  dropped: number;
  /** From beginning to end in the lane; null for a frame that was left out. */
  serviceMs: number | null;
  /** The part of `serviceMs` spent in stages that the lean plan leaves out. */
  optionalMs?: number;
  /** Whether the frame was swapped only to measure what that takes. */
  isProbe?: boolean;
}

/** Length of the pieces that are judged. */
const PIECE_MS = 1000;
/** A stream's first frames are not judged: code is compiled, bandwidth is estimated, faces are searched for. */
const COLD_MS = 1500;
/** A piece longer than this is not judged: no frame came, or the process stood still. */
const BROKEN_MS = 3000;
/** So many pieces in a row make a trend. */
const TREND = 3;
/**
 * Share of a piece's frames that were done, 0..1: below SHORT the stream is short of time, from ENOUGH on it has
 * enough.
 */
const SHORT = 0.85;
const ENOUGH = 0.95;
/**
 * The rate after a step down may be this many times what was reached: dropping evenly wastes less than dropping at
 * random.
 */
const REACH = 1.05;
/** How long a step up waits after a step down. */
const UP_WAIT_MS = 30_000;
/** How long it waits if the predicted load is much lower than at that step down. */
const CHANGED_WAIT_MS = 10_000;
/** A step up that is followed by a step down sooner than this did not hold. */
const HELD_MS = 20_000;
/** Each step up that did not hold doubles the wait, up to this. */
const LONGEST_WAIT_MS = 240_000;
/** In passthrough one frame in so long is swapped, and not shown, to measure what that would take. */
const PROBE_MS = 1000;
/** A predicted load below this share, 0..1, of the load that did not hold means that the load itself has changed. */
const CHANGED = 0.6;
/** A camera's rate until it is measured, in frames a second. */
const CAMERA_FPS = 30;

/** About one second of a stream. */
interface Piece {
  seconds: number;
  arrived: number;
  done: number;
  /** Milliseconds for each frame that was done, and the part of them spent in optional stages. */
  serviceMs: number;
  optionalMs: number;
  /** Share of the lane's time that all streams used, 0..1. */
  busy: number;
  /** Milliseconds of the lane's time for each frame of any stream. */
  laneMs: number;
}

/** A rung that was or may be stepped up to. */
interface Attempt {
  level: number;
  /** Share of the lane's time that was predicted for it, over all streams. */
  load: number;
  /** How many streams shared the lane. */
  streams: number;
}

/**
 * Moves one stream along the ladder: down to the rate that was reached, up to the highest that is predicted to hold.
 * Deterministic: all times come in through its methods.
 */
export class Degrader implements LaneUser {
  readonly #lane: LaneLoad;
  #ladder = ladderFor(false, false);
  #level = 0;
  /** The best rung that is allowed. */
  #floor = 0;
  #beganAtMs: number | null = null;
  #changedAtMs = Number.NEGATIVE_INFINITY;
  /** The piece that is being counted. */
  #fromMs = 0;
  #arrived = 0;
  #done = 0;
  #serviceMs = 0;
  #optionalMs = 0;
  #busyAtMs = 0;
  #framesAt = 0;
  /** The last pieces on this rung, at most TREND. */
  #pieces: Piece[] = [];
  /** What the last probes took, in passthrough. */
  #probesMs: number[] = [];
  #probedAtMs = Number.NEGATIVE_INFINITY;
  /** The camera's rate, measured on rungs that leave nothing out on purpose. */
  #cameraFps = CAMERA_FPS;
  /** The last step up, until it has held or failed. */
  #lastUp: (Attempt & { atMs: number }) | null = null;
  /** The last load that did not hold; `isTrial` after a step up. */
  #failed: (Attempt & { isTrial: boolean }) | null = null;
  /** How long the next step up waits after one that did not hold. */
  #trialWaitMs = UP_WAIT_MS;

  /** @param lane whose time the stream shares until `close`. */
  constructor(lane: LaneLoad) {
    this.#lane = lane;
    lane.users.add(this);
  }

  /** Place of the plan on the ladder, 0 = full quality. */
  get level(): number {
    return this.#level;
  }

  /** The plan in force. */
  get plan(): Plan {
    return this.#ladder[this.#level]!;
  }

  get cameraFps(): number {
    return this.#cameraFps;
  }

  get swappedFps(): number {
    return this.plan.swap ? Math.min(this.plan.fps, this.#cameraFps) : 0;
  }

  /** Idempotent. */
  close(): void {
    this.#lane.users.delete(this);
  }

  /** Changes the ladder, for another engine; begins at its top, or at the rung that `limitQuality` allows. */
  setLadder(ladder: readonly Plan[]): void {
    if (ladder === this.#ladder) return;
    this.#ladder = ladder;
    this.#level = this.#floor;
    this.#clearAttempts();
    this.#pieces = [];
  }

  /** While memory is short: steps one rung down at once, and no higher until `on` is false. */
  limitQuality(on: boolean, nowMs: number): void {
    if (on === this.#floor > 0) return;
    this.#floor = on ? Math.min(this.#ladder.length - 1, this.#level + 1) : 0;
    if (this.#level < this.#floor) this.#setLevel(this.#floor, nowMs);
  }

  /** The plan to swap this frame by, only to measure what that takes; null for most frames. */
  probe(nowMs: number): Plan | null {
    if (this.plan.swap || nowMs - this.#probedAtMs < PROBE_MS) return null;
    this.#probedAtMs = nowMs;
    return this.#ladder.at(-2)!;
  }

  /** Counts a frame and, at the end of a piece, judges the last pieces. */
  observe({ nowMs, dropped, serviceMs, optionalMs = 0, isProbe = false }: Observation): void {
    if (this.#beganAtMs === null) {
      this.#beganAtMs = nowMs;
      this.#beginPiece(nowMs);
    }
    this.#arrived += dropped + 1;
    if (isProbe && serviceMs !== null) this.#probesMs = [...this.#probesMs, serviceMs].slice(-TREND);
    if (serviceMs !== null) {
      this.#done++;
      this.#serviceMs += serviceMs;
      this.#optionalMs += optionalMs;
    }
    if (nowMs - this.#fromMs < PIECE_MS) return;
    const piece = this.#endPiece(nowMs);
    this.#beginPiece(nowMs);
    if (nowMs - this.#beganAtMs < COLD_MS) return;
    if (piece.seconds > BROKEN_MS / 1000) this.#pieces = [];
    else this.#judge(piece, nowMs);
  }

  #beginPiece(nowMs: number): void {
    this.#fromMs = nowMs;
    this.#arrived = 0;
    this.#done = 0;
    this.#serviceMs = 0;
    this.#optionalMs = 0;
    this.#busyAtMs = this.#lane.busyMs(nowMs);
    this.#framesAt = this.#lane.frames;
  }

  #endPiece(nowMs: number): Piece {
    const passedMs = nowMs - this.#fromMs;
    const busyMs = this.#lane.busyMs(nowMs) - this.#busyAtMs;
    const each = Math.max(1, this.#done);
    return {
      seconds: passedMs / 1000,
      arrived: this.#arrived,
      done: this.#done,
      serviceMs: this.#serviceMs / each,
      optionalMs: this.#optionalMs / each,
      busy: busyMs / passedMs,
      laneMs: busyMs / Math.max(1, this.#lane.frames - this.#framesAt),
    };
  }

  #judge(piece: Piece, nowMs: number): void {
    this.#pieces = [...this.#pieces, piece].slice(-TREND);
    if (this.plan.fps === Number.POSITIVE_INFINITY)
      this.#cameraFps += (piece.arrived / piece.seconds - this.#cameraFps) / 2;
    this.#clearHeldAttempt(nowMs);
    if (this.#pieces.length < TREND) return;
    if (this.#pieces.every(({ done, arrived }) => done < SHORT * arrived)) this.#stepDown(nowMs);
    else if (this.#pieces.every(({ done, arrived }) => done >= ENOUGH * arrived)) this.#stepUp(nowMs);
  }

  #stepDown(nowMs: number): void {
    const level = this.#levelBelow();
    if (level === this.#level) return;
    const last = this.#lastUp;
    const isTrial = last !== null && nowMs - last.atMs < HELD_MS;
    if (isTrial) this.#trialWaitMs = Math.min(LONGEST_WAIT_MS, 2 * this.#trialWaitMs);
    const load = this.#mean(({ busy, arrived, done, laneMs }) => busy + ((arrived - done) * laneMs) / 1000);
    this.#failed = isTrial
      ? { ...last, isTrial }
      : { level: this.#level, load, streams: this.#lane.users.size, isTrial };
    this.#lastUp = null;
    this.#setLevel(level, nowMs);
  }

  /**
   * The rung for what was reached: without the optional stages if that is enough, otherwise at the rate that was
   * done.
   */
  #levelBelow(): number {
    const reached = this.#mean((p) => p.done / p.seconds);
    const arriving = this.#mean((p) => p.arrived / p.seconds);
    const serviceMs = this.#mean((p) => p.serviceMs);
    const optional = this.#mean((p) => p.optionalMs) / Math.max(1e-9, serviceMs);
    const rungs = this.#ladder.map((plan, level) => ({ ...plan, level })).slice(this.#level + 1);
    const lean = rungs.find((plan) => plan.fps === this.plan.fps && paintsAlike(plan, this.plan));
    if (lean !== undefined && reached >= ENOUGH * (1 - optional) * arriving) return lean.level;
    // A rate above what arrives would change nothing.
    const slower = rungs.filter((plan) => paintsAlike(plan, this.plan) && plan.fps < arriving);
    const fits = slower.find(({ fps }) => fps <= REACH * reached) ?? slower.at(-1);
    if (fits !== undefined) return fits.level;
    if (reached >= LEAST_FPS) return this.#level;
    return rungs.find((plan) => !paintsAlike(plan, this.plan))?.level ?? this.#level;
  }

  #stepUp(nowMs: number): void {
    const next = this.#holdingRungs().find((attempt) => nowMs - this.#changedAtMs >= this.#waitMs(attempt));
    if (next === undefined || !this.#lane.mayStepUp(nowMs)) return;
    this.#lastUp = { ...next, atMs: nowMs };
    this.#setLevel(next.level, nowMs);
  }

  /** How long after the last change a step up may be tried. */
  #waitMs({ level, load, streams }: Attempt): number {
    const failed = this.#failed;
    if (failed === null) return 0;
    const isChanged = load < CHANGED * failed.load || streams < failed.streams;
    if (isChanged) return failed.isTrial || this.#lastUp !== null ? 0 : CHANGED_WAIT_MS;
    return failed.isTrial && level <= failed.level ? this.#trialWaitMs : UP_WAIT_MS;
  }

  /** The rungs that are predicted to hold, highest first. */
  #holdingRungs(): Attempt[] {
    const isProbing = !this.plan.swap;
    if (isProbing && this.#probesMs.length < TREND) return [];
    const probeMs = this.#probesMs.reduce((sum, ms) => sum + ms, 0) / TREND;
    const [serviceMs, laneMs] = isProbing
      ? [probeMs, probeMs]
      : [this.#mean((p) => p.serviceMs), this.#mean((p) => p.laneMs)];
    const busy = this.#mean((p) => p.busy);
    const streams = this.#lane.users.size;
    const kind = isProbing ? this.#ladder.at(-2)! : this.plan;
    const highest = this.#ladder.findIndex((plan) => costsAlike(plan, kind));
    // The cost of a stage that this rung leaves out is unknown: the next rung is tried, which does the least of it.
    if (this.#level === highest) return highest > this.#floor ? [{ level: highest - 1, load: busy, streams }] : [];
    const first = Math.max(this.#floor, highest);
    const rungs = this.#ladder.slice(first, Math.max(first, this.#level)).map(({ fps }, i) => {
      const rate = Math.min(fps, this.#cameraFps);
      // A rate counts only if the lane could give it to every stream.
      const load = busy + (this.#lane.missingFps(rate) * laneMs) / 1000;
      return { level: first + i, load, streams, holds: load <= MOST_BUSY && (rate * serviceMs) / 1000 <= MOST_BUSY };
    });
    return rungs.filter(({ holds }) => holds);
  }

  /** A load that did not hold is forgotten once a step up to that rung has held. */
  #clearHeldAttempt(nowMs: number): void {
    const [last, failed] = [this.#lastUp, this.#failed];
    if (last === null || nowMs - last.atMs < HELD_MS) return;
    if (failed !== null && last.level <= failed.level) this.#clearAttempts();
  }

  #clearAttempts(): void {
    this.#lastUp = null;
    this.#failed = null;
    this.#trialWaitMs = UP_WAIT_MS;
  }

  /** Mean over the last pieces. */
  #mean(of: (piece: Piece) => number): number {
    return this.#pieces.reduce((all, piece) => all + of(piece), 0) / this.#pieces.length;
  }

  #setLevel(level: number, nowMs: number): void {
    this.#level = level;
    this.#changedAtMs = nowMs;
    // What was measured belongs to the previous rung.
    this.#pieces = [];
    this.#probesMs = [];
    this.#beginPiece(nowMs);
  }
}
