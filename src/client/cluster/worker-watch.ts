/** When a page asks for another worker. Free of the DOM, for tests. */

/** A stream without a picture for so long has lost its worker: jobs repeat a picture that is held back. */
const STALLED_MS = 1000;
/** From the camera's publication to a job, and from the job to its first picture; a second dispatch would end the job. */
const JOB_WITHIN_MS = 1500;
const PICTURE_WITHIN_MS = 6000;
/** Between two requests. */
const AGAIN_MS = 1000;

/** What is known a few times a second. */
export interface WatchBeat {
  /** Pictures decoded so far; fewer than before means another track. */
  frames: number;
  /** Whether a job is in the camera's room. */
  hasJob: boolean;
  nowMs: number;
}

/** Watches over one stream, from when its camera was published. */
export class WorkerWatch {
  readonly #sinceMs: number;
  #frames = 0;
  #movedAtMs: number | null = null;
  #askedAtMs = Number.NEGATIVE_INFINITY;

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
  }

  /** Whether another worker has to be asked for now. */
  needsWorker({ frames, hasJob, nowMs }: WatchBeat): boolean {
    if (frames > 0 && frames !== this.#frames) this.#movedAtMs = nowMs;
    this.#frames = frames;
    const patienceMs = this.#movedAtMs !== null ? STALLED_MS : hasJob ? PICTURE_WITHIN_MS : JOB_WITHIN_MS;
    if (this.#stillMs(nowMs) < patienceMs || nowMs - this.#askedAtMs < AGAIN_MS) return false;
    this.#askedAtMs = nowMs;
    return true;
  }

  /** Whether pictures come. */
  isMoving(nowMs: number): boolean {
    return this.#movedAtMs !== null && nowMs - this.#movedAtMs < STALLED_MS;
  }

  #stillMs(nowMs: number): number {
    return nowMs - (this.#movedAtMs ?? this.#sinceMs);
  }
}
