/**
 * The ladder of plans, from full quality down to passthrough, and the controller that moves along it. A plan is data:
 * stages read its fields and never ask for a level's number.
 *
 * This is the trend; a single frame that comes too late is the emergency, and is dropped by the newest-wins hand-off.
 */

export interface Plan {
  name: string;
  /** False lets every frame go out as it came, or as the fallback says. */
  swap: boolean;
  /** One of so many frames is swapped and the others are left out: fewer pictures, each of them right. */
  every: number;
  /** Most faces swapped in one frame. */
  faces: number;
  /** Whether a generator paints; else its reserve serves. */
  generate: boolean;
  /** Whether there is time to restore swapped faces. */
  restore: boolean;
  /** How many times longer than configured to wait between looks for new faces; 0 looks on every frame, whatever it takes. */
  seekPatience: number;
}

const FULL: Plan = {
  ...{ name: 'full', swap: true, every: 1, faces: Number.POSITIVE_INFINITY },
  ...{ generate: true, restore: true, seekPatience: 1 },
};
const LEAN: Plan = { ...FULL, name: 'lean', faces: 1, restore: false, seekPatience: 4 };
const HALF: Plan = { ...LEAN, name: 'half', every: 2 };
const THIRD: Plan = { ...LEAN, name: 'third', every: 3, seekPatience: 8 };
/** What stands in for the generator swaps every picture. */
const RESERVE: Plan = { ...LEAN, name: 'reserve', generate: false };
// Every picture would cost more to encode than a third of them swapped: below the rung above, it is half of them.
const PASSTHROUGH: Plan = { ...RESERVE, name: 'passthrough', swap: false, every: 2, faces: 0, seekPatience: 1 };

export const LADDER: readonly Plan[] = [FULL, LEAN, HALF, THIRD, PASSTHROUGH];
/** Where a generator paints and something cheaper stands in for it. */
export const LADDER_WITH_RESERVE: readonly Plan[] = [FULL, LEAN, HALF, THIRD, RESERVE, PASSTHROUGH];

/** What a stream that wants no face runs on. */
export const IDLE: Plan = { ...PASSTHROUGH, every: 1 };

/** A plan for a stream that must not show a bare face: every face is looked for on every frame, and swapped. */
export const guarded = (plan: Plan): Plan => ({ ...plan, faces: Number.POSITIVE_INFINITY, seekPatience: 0 });

/** Smoothed age over budget above which a step down is due, and below which a step up may be tried. */
const TOO_MUCH = 1;
const EASY = 0.5;
/** Above this one rung is not enough. */
const FAR_TOO_MUCH = 1.25;
/** Time constants of the smoothing: frames that come late are believed sooner than frames that come in time again. */
const RISE_MS = 150;
const FALL_MS = 300;
/** A step down shows its effect before the next: frames that waited while it was made have gone by then. */
const DOWN_PAUSE_MS = 300;
/** A step up waits so long; twice as long each time the last one did not hold, up to the longest. */
const UP_WAIT_MS = 1500;
const UP_WAIT_LONGEST_MS = 12_000;
/** A step up that is followed by a step down sooner than this did not hold. */
const HELD_MS = 4000;
/** After a step up that did not hold, so much less load than then, or a higher rung, means that times have changed. */
const CHANGED = 0.6;

/** Moves along the ladder: fast down, slow up, without going back and forth. */
export class Degrader {
  readonly #budgetMs: number;
  #ladder = LADDER;
  #level = 0;
  #load = 0;
  #lastMs: number | null = null;
  #changedAtMs = Number.NEGATIVE_INFINITY;
  #easySinceMs: number | null = null;
  #upWaitMs = UP_WAIT_MS;
  #steppedUpAtMs = Number.NEGATIVE_INFINITY;
  /** The load at which the last step up was tried, and where the last one that did not hold was tried from. */
  #loadBeforeUp = 0;
  #fall = { level: Number.POSITIVE_INFINITY, load: Number.POSITIVE_INFINITY };
  /** No way up beyond this rung. */
  #floor = 0;

  /** @param budgetMs how old a frame may be when it is done; Infinity where there is no deadline. */
  constructor(budgetMs: number) {
    this.#budgetMs = budgetMs;
  }

  get level(): number {
    return this.#level;
  }

  get plan(): Plan {
    return this.#ladder[this.#level]!;
  }

  /** Another ladder, for another engine; begins at its top, or where it is held. */
  climb(ladder: readonly Plan[]): void {
    if (ladder === this.#ladder) return;
    this.#ladder = ladder;
    this.#level = this.#floor;
    this.#load = 0;
    this.#calm();
  }

  /** @param ageMs from a frame's arrival to its end; @param nowMs when that was. */
  observe(ageMs: number, nowMs: number): void {
    const passedMs = this.#lastMs === null ? 0 : nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    // One frame alone counts for at most twice its budget: a hiccup is no trend.
    const load = Math.min(2, ageMs / this.#budgetMs);
    const smoothMs = load > this.#load ? RISE_MS : FALL_MS;
    this.#load += (load - this.#load) * (1 - Math.exp(-passedMs / smoothMs));
    if (this.#load > TOO_MUCH) this.#down(nowMs);
    else if (this.#load < EASY) this.#up(nowMs);
    else this.#easySinceMs = null;
  }

  /** While memory is short: one rung down at once, and none above it until it is let go. */
  hold(on: boolean, nowMs: number): void {
    if (on === this.#floor > 0) return;
    this.#floor = on ? Math.min(this.#ladder.length - 1, this.#level + 1) : 0;
    this.#easySinceMs = null;
    if (this.#level >= this.#floor) return;
    this.#level = this.#floor;
    this.#changedAtMs = nowMs;
  }

  #down(nowMs: number): void {
    this.#easySinceMs = null;
    if (this.#level === this.#ladder.length - 1 || nowMs - this.#changedAtMs < DOWN_PAUSE_MS) return;
    if (nowMs - this.#steppedUpAtMs < HELD_MS) {
      this.#upWaitMs = Math.min(UP_WAIT_LONGEST_MS, 2 * this.#upWaitMs);
      this.#fall = { level: this.#level + 1, load: this.#loadBeforeUp };
    }
    this.#level = Math.min(this.#ladder.length - 1, this.#level + (this.#load > FAR_TOO_MUCH ? 2 : 1));
    this.#changedAtMs = nowMs;
    // What was measured belongs to the rung above.
    this.#load = TOO_MUCH;
  }

  #up(nowMs: number): void {
    this.#easySinceMs ??= nowMs;
    if (this.#level <= this.#floor) {
      if (nowMs - this.#steppedUpAtMs > UP_WAIT_LONGEST_MS) this.#calm();
      return;
    }
    const changed = this.#level < this.#fall.level || this.#load < CHANGED * this.#fall.load;
    const waitMs = changed ? UP_WAIT_MS : this.#upWaitMs;
    if (nowMs - Math.max(this.#easySinceMs, this.#changedAtMs) < waitMs) return;
    this.#loadBeforeUp = this.#load;
    this.#level--;
    this.#changedAtMs = nowMs;
    this.#steppedUpAtMs = nowMs;
    this.#easySinceMs = nowMs;
  }

  #calm(): void {
    this.#upWaitMs = UP_WAIT_MS;
    this.#fall = { level: Number.POSITIVE_INFINITY, load: Number.POSITIVE_INFINITY };
  }
}
