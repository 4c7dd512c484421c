import { LoadMeter } from '../../src/agent/load-meter.ts';
import { MOST_BUSY } from '../../src/shared/types.ts';

/** What a worker is, by measurements. */
export interface WorkerKind {
  lanes: number;
  /** Time of a lane that a frame takes, in milliseconds. */
  swapMs: number;
  /** `livekit.maxLoad`. */
  maxLoad: number;
  /** `limits.sessions`. */
  mostJobs: number;
}

/** Rates of the quality ladder, a second; a rung's place is its index. */
const RATES = [30, 24, 20, 15, 12, 10];
/** A job shows in the lanes after so long; until then it counts as pending (SwapJobs). */
const SETTLED_S = 2;

/**
 * A worker as the dispatcher sees it: it runs FaceOff's own LoadMeter on lanes that are as busy as its jobs make them, and
 * tells its load as the agent does. Pure.
 */
export class SimWorker {
  readonly kind: WorkerKind;
  readonly #meter = new LoadMeter();
  /** When each of the last jobs began, in seconds. */
  readonly #begunS: number[] = [];
  /** When each job began, in seconds, by its number. */
  readonly jobs = new Map<number, number>();
  /** What the dispatcher was told last. */
  told = { load: 0, isFull: false };
  isDraining = false;
  level = 0;

  constructor(kind: WorkerKind) {
    this.kind = kind;
    this.#meter.observe({ swapMs: kind.swapMs, lanes: this.#lanes(RATES[0]!) }, 0, 0);
  }

  /** Takes a job if there is room, by the agent's rule. */
  offer(job: number, nowS: number): boolean {
    if (!this.#hasRoom(nowS)) return false;
    this.jobs.set(job, nowS);
    this.#begunS.push(nowS);
    this.tell(nowS);
    return true;
  }

  /** Measures and tells, as the agent does twice a second. */
  tick(nowS: number): void {
    this.level = RATES.findIndex((fps) => Math.max(...this.#lanes(fps)) <= 1);
    if (this.level < 0) this.level = RATES.length - 1;
    const busy = this.#lanes(RATES[this.level]!).map((share) => Math.min(1, share));
    this.#meter.observe({ swapMs: this.kind.swapMs, lanes: busy }, this.level, this.jobs.size - this.#pending(nowS));
    this.tell(nowS);
  }

  /** Tells the dispatcher the load. */
  tell(nowS: number): void {
    this.told = { load: this.#meter.load(this.#pending(nowS)), isFull: !this.#hasRoom(nowS) };
  }

  /** Jobs that it has room for. */
  free(nowS: number): number {
    const left = this.kind.maxLoad - this.#meter.load(this.#pending(nowS));
    return left <= 0 ? 0 : Math.max(1, Math.floor(left / this.#meter.jobShare));
  }

  /** Share of the lanes' plannable time that is used, 0..1. */
  get utilisation(): number {
    const lanes = this.#lanes(RATES[this.level]!);
    return Math.min(1, lanes.reduce((sum, share) => sum + share, 0) / lanes.length / MOST_BUSY);
  }

  #hasRoom(nowS: number): boolean {
    const { maxLoad, mostJobs } = this.kind;
    return !this.isDraining && this.jobs.size < mostJobs && this.#meter.load(this.#pending(nowS)) < maxLoad;
  }

  #pending(nowS: number): number {
    while (this.#begunS.length > 0 && nowS - this.#begunS[0]! >= SETTLED_S) this.#begunS.shift();
    return this.#begunS.length;
  }

  /** Share of the time in which each lane works; jobs go to the lane with the fewest. */
  #lanes(fps: number): number[] {
    const { lanes, swapMs } = this.kind;
    const [each, more] = [Math.floor(this.jobs.size / lanes), this.jobs.size % lanes];
    return Array.from({ length: lanes }, (_, n) => ((each + (n < more ? 1 : 0)) * fps * swapMs) / 1000);
  }
}
