/** The restoration stage: a restoration model's picture blended over a swapped face, on plans that have time for it. */

import { FaceOffError, messageOf } from '../../shared/errors.ts';
import type { Frame } from '../../shared/types.ts';
import type { Catalogue } from '../models/catalogue.ts';
import { type GeneratorOptions, GeneratorRunner } from './neural/generator-runner.ts';
import { RunnerPool, type YieldWhile } from './neural/runner-pool.ts';

/** Which restorer to use, and how. */
export interface RestoreOptions extends Omit<GeneratorOptions, 'boost'> {
  /** Name of the restorer in the catalogue. */
  model: string;
  /** Opacity of the restored face, 0..1. */
  blend: number;
  /** Time of a frame from its arrival, in milliseconds. */
  budgetMs: number;
  /** Releases the lane to other frames while something is awaited. */
  yieldWhile?: YieldWhile;
}

/** Pause after a failure, during which faces are not restored. */
const PAUSE_MS = 10_000;

/** An opened restorer; reopens itself after the device was lost. Runs in the lane worker. */
export class Restorer {
  readonly #open: () => Promise<RunnerPool>;
  readonly #options: RestoreOptions;
  readonly #onFault: (error: unknown) => void;
  /** Null while it is being reopened. */
  #runners: RunnerPool | null;
  #opening: Promise<void> | null = null;
  #pausedUntilMs = 0;
  #closed = false;

  private constructor(
    runners: RunnerPool,
    open: () => Promise<RunnerPool>,
    options: RestoreOptions,
    onFault: (error: unknown) => void,
  ) {
    this.#runners = runners;
    this.#open = open;
    this.#options = options;
    this.#onFault = onFault;
  }

  /**
   * @param onFault called with `restorer_failed` whenever restoration pauses.
   * @throws FaceOffError `unknown_model` (404), `model_missing`, `model_differs`, `model_unfit`, `model_unusable`.
   */
  static async open(
    catalogue: Catalogue,
    options: RestoreOptions,
    onFault: (error: unknown) => void,
  ): Promise<Restorer> {
    const entry = catalogue.named(options.model, 'restorer');
    const make = () => GeneratorRunner.open(catalogue, entry, { ...options, boost: 1 });
    const open = () => RunnerPool.open(async () => ({ runner: await make(), mask: null }), options.yieldWhile);
    return new Restorer(await open(), open, options, onFault);
  }

  /** Restores one face in place, never throws: on a failure the face stays as it was swapped. */
  async restore(frame: Frame, points: Float32Array): Promise<void> {
    if (performance.now() < this.#pausedUntilMs) return;
    const runners = this.#runners;
    if (runners === null) {
      this.#reopen();
      return;
    }
    try {
      const { blend: strength, budgetMs } = this.#options;
      const deadlineMs = frame.receivedAtMs + budgetMs;
      await runners.use(deadlineMs, ({ runner }) => runner.paint(frame, points, { strength, colour: 0, deadlineMs }));
    } catch (error) {
      this.#handleFailure(error, runners);
    }
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#opening;
    await this.#runners?.close();
  }

  #handleFailure(error: unknown, runners: RunnerPool): void {
    const code = error instanceof FaceOffError ? error.code : '';
    // Of several faces that failed on the same runners, the first one is handled.
    if (code === 'too_late' || this.#closed || this.#runners !== runners) return;
    if (code === 'device_lost') {
      // Sessions on a lost device are gone; new ones are opened once the device has restarted.
      this.#runners = null;
      void runners.close().catch(() => undefined);
      this.#reopen();
    } else {
      this.#pause(error);
    }
  }

  #pause(error: unknown): void {
    this.#pausedUntilMs = performance.now() + PAUSE_MS;
    const why = messageOf(error);
    this.#onFault(new FaceOffError('restorer_failed', `Faces are not restored for a while: ${why}`, { cause: error }));
  }

  /** Reopens in the background; frames are not restored meanwhile. */
  #reopen(): void {
    this.#opening ??= this.#open()
      .then(async (runners) => {
        if (this.#closed) await runners.close();
        else this.#runners = runners;
      })
      .catch((error: unknown) => {
        if (!this.#closed) this.#pause(error);
      })
      .finally(() => {
        this.#opening = null;
      });
  }
}
