/**
 * The ladder of plans, from full quality down to passthrough, and the controller that moves a stream along it. A plan is
 * data: stages read its fields and never ask for a level's number.
 *
 * This is the trend. A single frame that comes too late is the emergency, and is dropped by the newest-wins hand-off. The
 * controller counts those drops: a machine that is full drops frames second after second, while a cold start, a garbage
 * collection or a neighbour's hiccup drops some and is over. The age of frames is not asked, as it says neither.
 */

import { MOST_BUSY } from '../../shared/types.ts';
import type { LaneLoad, LaneUser } from './lane-load.ts';

/** Passthrough only where not even so many pictures a second can be swapped. */
const LEAST_FPS = 10;

export interface Plan {
  name: string;
  /** False lets every frame go out as it came, or as the fallback says. */
  swap: boolean;
  /** Most pictures a second; the others are left out, evenly, before they reach the lane. Infinity takes all. */
  fps: number;
  /** Whether a generator paints; else its reserve serves. */
  generate: boolean;
  /** Whether there is time to restore swapped faces. */
  restore: boolean;
  /** How many times longer than configured to wait between looks for new faces; 0 looks on every frame, whatever it takes. */
  seekPatience: number;
}

const FULL: Plan = {
  ...{ name: 'full', swap: true, fps: Number.POSITIVE_INFINITY },
  ...{ generate: true, restore: true, seekPatience: 1 },
};
const LEAN: Plan = { ...FULL, name: 'lean', restore: false, seekPatience: 4 };
/** Fewer pictures, each one swapped, as evenly spaced as the camera's allow. */
const atRates = (plan: Plan, prefix = ''): Plan[] =>
  [24, 20, 15, 12, LEAST_FPS].map((fps) => ({ ...plan, name: `${prefix}${fps} fps`, fps }));
/** What stands in for the generator. */
const RESERVE: Plan = { ...LEAN, name: 'reserve', generate: false };
const PASSTHROUGH: Plan = { ...RESERVE, name: 'passthrough', swap: false, fps: 15, seekPatience: 1 };

/** Optional stages are given up first, then pictures, then the generator, and the swap last. */
const ladder = (restores: boolean, hasReserve: boolean): readonly Plan[] => [
  ...[{ ...FULL, restore: restores }, ...(restores ? [LEAN] : []), ...atRates(LEAN)],
  ...(hasReserve ? [RESERVE, ...atRates(RESERVE, 'reserve ')] : []),
  PASSTHROUGH,
];
const LADDERS = [false, true].map((restores) => [false, true].map((reserve) => ladder(restores, reserve)));

/**
 * The plans for a stream, full quality first.
 * @param restores whether swapped faces are restored. @param hasReserve whether a generator paints and something cheaper stands in for it.
 */
export const ladderFor = (restores: boolean, hasReserve: boolean): readonly Plan[] =>
  LADDERS[Number(restores)]![Number(hasReserve)]!;

/** What a stream that wants no face runs on. */
export const IDLE: Plan = { ...PASSTHROUGH, fps: Number.POSITIVE_INFINITY };

/** A plan for a stream that must not show a bare face: every frame is searched for faces. */
export const guarded = (plan: Plan): Plan => ({ ...plan, seekPatience: 0 });

/** What the controller is told of each frame that a lane is done with, or has left out. Times of `performance.now()`. */
export interface Observation {
  /** When the lane was done with it. */
  nowMs: number;
  /** Frames that were dropped since the last one, for want of time: a newer one took their place, or they came too late. */
  dropped: number;
  /** From beginning to end in the lane; null for a frame that was left out. */
  serviceMs: number | null;
  /** The part of it that stages took which the lean plan leaves out. */
  optionalMs?: number;
  /** Whether it was swapped only to see what that takes. */
  isProbe?: boolean;
}

/** Length of the pieces that are judged. */
const SECOND_MS = 1000;
/** A stream's first seconds are not judged: code is compiled, bandwidth is found out, faces are looked for. */
const COLD_MS = 1500;
/** A piece is judged only if it is not longer than this: else nothing came, or the process stood still. */
const BROKEN_MS = 3000;
/** As many pieces in a row make a trend. */
const TREND = 3;
/** Fewer of a second's frames than this share were done: it is short of time. More than that: it has enough. */
const SHORT = 0.85;
const ENOUGH = 0.95;
/** A rate may be a little above what was reached: dropping evenly wastes less. */
const REACH = 1.05;
/**
 * A step up waits so long after a step down; a third of it if less load is predicted than there was then; twice as long each time
 * a step up did not hold, up to the longest.
 */
const UP_WAIT_MS = 30_000;
const CHANGED_WAIT_MS = 10_000;
/** A step up that is followed by a step down sooner than this did not hold. */
const HELD_MS = 20_000;
const LONGEST_WAIT_MS = 240_000;
/** In passthrough one frame in so long is swapped, and not shown, to see what that would take. */
const PROBE_MS = 1000;
/** So much less predicted load than at a step up that did not hold means that the load itself has changed. */
const CHANGED = 0.6;
/** A camera's rate until it is known. */
const CAMERA_FPS = 30;

/** One second of a stream. */
interface Piece {
  seconds: number;
  arrived: number;
  done: number;
  /** Of the frames done, in milliseconds each. */
  serviceMs: number;
  optionalMs: number;
  /** Share of the lane's time that was used, by all streams, and what a frame took of it. */
  busy: number;
  laneMs: number;
}

/** Load that was predicted for a rung, and how many streams shared the lane. */
interface Attempt {
  level: number;
  load: number;
  streams: number;
}

/** Whether two plans swap faces with the same engine, at whatever rate. */
const paintsAlike = (one: Plan, other: Plan): boolean => one.swap === other.swap && one.generate === other.generate;
/** Whether two plans cost the same a picture, at whatever rate. */
const doesAlike = (one: Plan, other: Plan): boolean => paintsAlike(one, other) && one.restore === other.restore;

/** Moves one stream along the ladder: down to the rate that was reached, up to the highest that is predicted to hold. */
export class Degrader implements LaneUser {
  readonly #lane: LaneLoad;
  #ladder = ladderFor(false, false);
  #level = 0;
  /** No way up beyond this rung. */
  #floor = 0;
  #beganAtMs: number | null = null;
  #changedAtMs = Number.NEGATIVE_INFINITY;
  /** The second under way. */
  #fromMs = 0;
  #arrived = 0;
  #done = 0;
  #serviceMs = 0;
  #optionalMs = 0;
  #busyAtMs = 0;
  #framesAt = 0;
  /** The last seconds on this rung. */
  #pieces: Piece[] = [];
  /** What swapping took, in passthrough. */
  #probesMs: number[] = [];
  #probedAtMs = Number.NEGATIVE_INFINITY;
  /** What the camera gave, where nothing is left out on purpose. */
  #cameraFps = CAMERA_FPS;
  #lastUp: (Attempt & { atMs: number }) | null = null;
  #failed: (Attempt & { isTrial: boolean }) | null = null;
  #trialWaitMs = UP_WAIT_MS;

  /** @param lane which it takes part in until it is closed. */
  constructor(lane: LaneLoad) {
    this.#lane = lane;
    lane.users.add(this);
  }

  get level(): number {
    return this.#level;
  }

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

  /** Another ladder, for another engine; begins at its top, or where it is held. */
  setLadder(ladder: readonly Plan[]): void {
    if (ladder === this.#ladder) return;
    this.#ladder = ladder;
    this.#level = this.#floor;
    this.#forget();
    this.#pieces = [];
  }

  /** While memory is short: one rung down at once, and none above it until it is let go. */
  limitQuality(on: boolean, nowMs: number): void {
    if (on === this.#floor > 0) return;
    this.#floor = on ? Math.min(this.#ladder.length - 1, this.#level + 1) : 0;
    if (this.#level < this.#floor) this.#move(this.#floor, nowMs);
  }

  /** The plan to swap this frame by, only to see what that takes; null for most frames. */
  probe(nowMs: number): Plan | null {
    if (this.plan.swap || nowMs - this.#probedAtMs < PROBE_MS) return null;
    this.#probedAtMs = nowMs;
    return this.#ladder.at(-2)!;
  }

  /** Books a frame and, at the end of a second, judges the last ones. */
  observe({ nowMs, dropped, serviceMs, optionalMs = 0, isProbe = false }: Observation): void {
    if (this.#beganAtMs === null) {
      this.#beganAtMs = nowMs;
      this.#begin(nowMs);
    }
    this.#arrived += dropped + 1;
    if (isProbe && serviceMs !== null) this.#probesMs = [...this.#probesMs, serviceMs].slice(-TREND);
    if (serviceMs !== null) {
      this.#done++;
      this.#serviceMs += serviceMs;
      this.#optionalMs += optionalMs;
    }
    if (nowMs - this.#fromMs < SECOND_MS) return;
    const piece = this.#piece(nowMs);
    this.#begin(nowMs);
    if (nowMs - this.#beganAtMs < COLD_MS) return;
    if (piece.seconds > BROKEN_MS / 1000) this.#pieces = [];
    else this.#judge(piece, nowMs);
  }

  #begin(nowMs: number): void {
    this.#fromMs = nowMs;
    [this.#arrived, this.#done, this.#serviceMs, this.#optionalMs] = [0, 0, 0, 0];
    [this.#busyAtMs, this.#framesAt] = [this.#lane.busyMs(nowMs), this.#lane.frames];
  }

  #piece(nowMs: number): Piece {
    const passedMs = nowMs - this.#fromMs;
    const busyMs = this.#lane.busyMs(nowMs) - this.#busyAtMs;
    const each = Math.max(1, this.#done);
    return {
      ...{ seconds: passedMs / 1000, arrived: this.#arrived, done: this.#done },
      ...{ serviceMs: this.#serviceMs / each, optionalMs: this.#optionalMs / each },
      ...{ busy: busyMs / passedMs, laneMs: busyMs / Math.max(1, this.#lane.frames - this.#framesAt) },
    };
  }

  #judge(piece: Piece, nowMs: number): void {
    this.#pieces = [...this.#pieces, piece].slice(-TREND);
    if (this.plan.fps === Number.POSITIVE_INFINITY)
      this.#cameraFps += (piece.arrived / piece.seconds - this.#cameraFps) / 2;
    this.#forgive(nowMs);
    if (this.#pieces.length < TREND) return;
    if (this.#pieces.every(({ done, arrived }) => done < SHORT * arrived)) this.#down(nowMs);
    else if (this.#pieces.every(({ done, arrived }) => done >= ENOUGH * arrived)) this.#up(nowMs);
  }

  #down(nowMs: number): void {
    const level = this.#below();
    if (level === this.#level) return;
    const last = this.#lastUp;
    const isTrial = last !== null && nowMs - last.atMs < HELD_MS;
    if (isTrial) this.#trialWaitMs = Math.min(LONGEST_WAIT_MS, 2 * this.#trialWaitMs);
    const load = this.#mean(({ busy, arrived, done, laneMs }) => busy + ((arrived - done) * laneMs) / 1000);
    this.#failed = isTrial
      ? { ...last, isTrial }
      : { level: this.#level, load, streams: this.#lane.users.size, isTrial };
    this.#lastUp = null;
    this.#move(level, nowMs);
  }

  /** The rung for what was reached: without the optional stages if that is enough, else at the rate that was done. */
  #below(): number {
    const [reached, arriving] = [this.#mean((p) => p.done / p.seconds), this.#mean((p) => p.arrived / p.seconds)];
    const optional =
      this.#mean((p) => p.optionalMs) /
      Math.max(
        1e-9,
        this.#mean((p) => p.serviceMs),
      );
    const rungs = this.#ladder.map((plan, level) => ({ ...plan, level })).slice(this.#level + 1);
    const lean = rungs.find((plan) => plan.fps === this.plan.fps && paintsAlike(plan, this.plan));
    if (lean !== undefined && reached >= ENOUGH * (1 - optional) * arriving) return lean.level;
    // A rate that the camera does not give changes nothing.
    const slower = rungs.filter((plan) => paintsAlike(plan, this.plan) && plan.fps < arriving);
    const fits = slower.find(({ fps }) => fps <= REACH * reached) ?? slower.at(-1);
    if (fits !== undefined) return fits.level;
    if (reached >= LEAST_FPS) return this.#level;
    return rungs.find((plan) => !paintsAlike(plan, this.plan))?.level ?? this.#level;
  }

  #up(nowMs: number): void {
    const next = this.#above().find((attempt) => nowMs - this.#changedAtMs >= this.#waitMs(attempt));
    if (next === undefined || !this.#lane.mayStepUp(nowMs)) return;
    this.#lastUp = { ...next, atMs: nowMs };
    this.#move(next.level, nowMs);
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
  #above(): Attempt[] {
    const isProbing = !this.plan.swap;
    if (isProbing && this.#probesMs.length < TREND) return [];
    const probeMs = this.#probesMs.reduce((sum, ms) => sum + ms, 0) / TREND;
    const [serviceMs, laneMs] = isProbing
      ? [probeMs, probeMs]
      : [this.#mean((p) => p.serviceMs), this.#mean((p) => p.laneMs)];
    const busy = this.#mean((p) => p.busy);
    const streams = this.#lane.users.size;
    const kind = isProbing ? this.#ladder.at(-2)! : this.plan;
    const highest = this.#ladder.findIndex((plan) => doesAlike(plan, kind));
    // What is not done on this rung cannot be predicted: the least of it is tried.
    if (this.#level === highest) return highest > this.#floor ? [{ level: highest - 1, load: busy, streams }] : [];
    const first = Math.max(this.#floor, highest);
    const rungs = this.#ladder.slice(first, Math.max(first, this.#level)).map(({ fps }, i) => {
      const rate = Math.min(fps, this.#cameraFps);
      // A rate that the others could not have as well is not for one of them.
      const load = busy + (this.#lane.toReach(rate) * laneMs) / 1000;
      return { level: first + i, load, streams, holds: load <= MOST_BUSY && (rate * serviceMs) / 1000 <= MOST_BUSY };
    });
    return rungs.filter(({ holds }) => holds);
  }

  /** What failed is over once a step up as high has held. */
  #forgive(nowMs: number): void {
    const [last, failed] = [this.#lastUp, this.#failed];
    if (last === null || nowMs - last.atMs < HELD_MS) return;
    if (failed !== null && last.level <= failed.level) this.#forget();
  }

  #forget(): void {
    [this.#lastUp, this.#failed, this.#trialWaitMs] = [null, null, UP_WAIT_MS];
  }

  #mean(of: (piece: Piece) => number): number {
    return this.#pieces.reduce((all, piece) => all + of(piece), 0) / this.#pieces.length;
  }

  #move(level: number, nowMs: number): void {
    this.#level = level;
    this.#changedAtMs = nowMs;
    // What was measured belongs to the rung before.
    this.#pieces = [];
    this.#probesMs = [];
    this.#begin(nowMs);
  }
}
