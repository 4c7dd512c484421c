/** Faults of the lanes: errors that cost a frame its swap, or a model its use. */

import type { Logger } from 'pino';
import type { ErrorCode } from '../../shared/error-catalogue.ts';
import type { FaceOffError } from '../../shared/errors.ts';
import type { ModelStates } from '../models/model-states.ts';

/** Faults after which the frame was swapped all the same, by the reserve or without the restorer. */
const SERVED: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['engine_failed', 'engine_slow', 'restorer_failed']);
/** Least time between two lines in the log. */
const LOG_INTERVAL_MS = 1000;

/** The `details` of `engine_failed`. */
interface EngineFailure {
  /** Name of the generator. */
  model: string;
  /** One sentence. */
  why: string;
}

const isEngineFailure = (details: unknown): details is EngineFailure =>
  typeof details === 'object' && details !== null && 'model' in details && 'why' in details;

/** Counts faults, logs at most one a second, and notes generators that failed. Main thread. */
export class LaneFaults {
  readonly #models: ModelStates;
  readonly #log: Logger;
  #count = 0;
  #loggedAtMs = -Infinity;

  constructor(models: ModelStates, log: Logger) {
    this.#models = models;
    this.#log = log;
  }

  /** @param source identifies the thread towards `ModelStates`. @param session whose frame it was, if it was a frame. */
  report(error: FaceOffError, source: object, session?: string): void {
    // A generator may fail before its model is loaded, or long after.
    if (error.code === 'engine_failed' && isEngineFailure(error.details)) {
      const { model, why } = error.details;
      this.#models.note(source, { model, state: 'failed', why });
    }
    this.#count++;
    if (performance.now() - this.#loggedAtMs < LOG_INTERVAL_MS) return;
    this.#loggedAtMs = performance.now();
    const what = SERVED.has(error.code) ? 'served without a model that was wanted' : 'frame not swapped';
    this.#log.warn({ session, code: error.code, error: error.message, faults: this.#count }, what);
  }
}
