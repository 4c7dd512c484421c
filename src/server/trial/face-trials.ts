/**
 * A face as it would look on a live person, one picture at a time, for that person alone: a copy of the camera's next
 * picture is swapped in a lane session of its own. The session's own frames, and what its viewers see, stay as they are.
 * Runs on the main thread.
 */

import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { frameToRgb } from '../../faces/portrait.ts';
import { SerialQueue } from '../../lib/serial.ts';
import { sharp } from '../../lib/sharp.ts';
import { FaceOffError } from '../../shared/errors.ts';
import type { SwapSettings } from '../../shared/settings.ts';
import type { Frame, Swapping, SwapSession } from '../../shared/types.ts';
import type { Badge } from '../disclosure/badge.ts';

/** A live session, as a trial uses it. */
export interface TriedSession {
  readonly id: string;
  readonly settings: SwapSettings;
  readonly isClosed: boolean;
  /** Place of its plan on the ladder; 0 is full quality. */
  readonly level: number;
  /** Whether its pictures may be shown at all, to itself. */
  readonly isHidden: boolean;
  /** A copy of the camera's next picture. @throws FaceOffError `no_picture` (409) when none comes. */
  nextCameraFrame(): Promise<Frame>;
}

/** A face that was not tried for so long is forgotten. */
const IDLE_MS = 3000;
/** How long a person who is out of the picture is waited for, and a face that is still being enrolled. */
const PATIENCE_MS = 5000;
const ENROLMENT_MS = 30_000;
const QUALITY = 80;
/** A trial leaves the lane alone for so many times what its picture took; for more where the session is short of time. */
const REST = 3;
const REST_WHEN_SHORT = 10;

/** The lane session of one tried session; it is kept while its person looks at face after face. */
interface Trial {
  face: string;
  swap: SwapSession;
  queue: SerialQueue;
  /** When the next picture may be swapped, on the clock of `performance.now()`. */
  nextAtMs: number;
  /** Requests that are not answered yet. */
  waiting: number;
  timer: NodeJS.Timeout | undefined;
}

/** All trials. */
export class FaceTrials {
  readonly #pool: Swapping;
  readonly #badge: Badge;
  readonly #trials = new Map<string, Trial>();

  constructor(pool: Swapping, badge: Badge) {
    this.#pool = pool;
    this.#badge = badge;
  }

  /**
   * The session's person with another face, now.
   * @returns a JPEG picture in the camera's size, marked as the session's pictures are.
   * @throws FaceOffError `unknown_face` (404), `consent_due` (409), `no_picture`, `not_shown` (409) where no face is found
   *   within five seconds, or the face takes more than thirty to be made ready.
   */
  async picture(session: TriedSession, face: string): Promise<Uint8Array> {
    const { map: _map, ...settings } = session.settings;
    const wanted = { ...settings, face, on: true, choice: 'largest', guarded: false } as const;
    const trial = this.#trial(session.id, face, wanted);
    clearTimeout(trial.timer);
    trial.waiting++;
    try {
      return await trial.queue.run(async () => {
        trial.swap.set(wanted);
        return this.#jpegOf(await swapped(session, trial), settings.badge);
      });
    } finally {
      trial.waiting--;
      if (trial.waiting === 0 && this.#trials.get(session.id) === trial)
        trial.timer = setTimeout(() => this.#end(session.id, trial), IDLE_MS).unref();
    }
  }

  /** Ends all trials. Idempotent. */
  close(): void {
    for (const id of [...this.#trials.keys()]) this.#forget(id);
  }

  /** A trial of another face begins anew: its first picture is no crossfade. */
  #trial(id: string, face: string, settings: Omit<SwapSettings, 'map'>): Trial {
    const known = this.#trials.get(id);
    if (known?.face === face) return known;
    const swap = this.#pool.open(`${id}-trial-${randomUUID()}`, settings);
    this.#forget(id);
    const trial: Trial = { face, swap, queue: new SerialQueue(), nextAtMs: 0, waiting: 0, timer: undefined };
    this.#trials.set(id, trial);
    return trial;
  }

  #forget(id: string): void {
    const trial = this.#trials.get(id);
    if (trial !== undefined) this.#end(id, trial);
  }

  #end(id: string, trial: Trial): void {
    if (this.#trials.get(id) === trial) this.#trials.delete(id);
    clearTimeout(trial.timer);
    trial.swap.close();
  }

  async #jpegOf(frame: Frame, isMarked: boolean): Promise<Uint8Array> {
    if (isMarked) this.#badge.draw(frame);
    const { width, height } = frame;
    return sharp(frameToRgb(frame), { raw: { width, height, channels: 3 } })
      .jpeg({ quality: QUALITY })
      .toBuffer();
  }
}

/** The next picture of the camera in which the face is swapped. */
async function swapped(session: TriedSession, trial: Trial): Promise<Frame> {
  const { swap } = trial;
  const beganMs = performance.now();
  // Until the face is there, the person is not waited for.
  let sinceMs = beganMs;
  const isPatient = (nowMs: number): boolean => nowMs - sinceMs < PATIENCE_MS && nowMs - beganMs < ENROLMENT_MS;
  while (!session.isClosed && !session.isHidden && isPatient(performance.now())) {
    await delay(Math.max(0, trial.nextAtMs - performance.now()));
    const frame = await session.nextCameraFrame();
    const free = await (swap.place?.() ?? Promise.resolve(() => undefined));
    const swapsAtMs = performance.now();
    try {
      const done = await swap.swap({ ...frame, receivedAtMs: swapsAtMs }, 0);
      if (done.result === 'swapped') return done.frame;
      if (done.awaitsFace === true) sinceMs = performance.now();
    } finally {
      const tookMs = performance.now() - swapsAtMs;
      trial.nextAtMs = performance.now() + (session.level > 0 ? REST_WHEN_SHORT : REST) * tookMs;
      free();
    }
  }
  const isReady = performance.now() - sinceMs >= PATIENCE_MS;
  const why = isReady ? 'no face was found in your picture' : 'it is not ready yet, try again in a moment';
  throw new FaceOffError('not_shown', `The face cannot be shown on you now: ${why}.`);
}
