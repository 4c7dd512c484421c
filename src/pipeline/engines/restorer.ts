/** Sharpens a swapped face by a restoration model, blended over it. A stage of its own, on the plans that have time. */

import { FaceOffError } from '../../shared/errors.ts';
import type { Frame } from '../../shared/types.ts';
import type { Catalogue } from '../models/catalogue.ts';
import { type GeneratorOptions, GeneratorRunner } from './neural/generator-runner.ts';
import { RunnerPool, type YieldWhile } from './neural/runner-pool.ts';

export interface RestoreOptions extends Omit<GeneratorOptions, 'boost'> {
  model: string;
  /** How much of the restored face shows, 0..1. */
  blend: number;
  /** How long a frame may take from its arrival. */
  budgetMs: number;
  /** Lets other streams of the lane in while something is awaited. */
  yieldWhile?: YieldWhile;
}

/** A restorer that failed is left out for so long. */
const REST_MS = 10_000;

export class Restorer {
  readonly #open: () => Promise<RunnerPool>;
  readonly #options: RestoreOptions;
  readonly #onFault: (error: unknown) => void;
  /** Null while it is opened anew. */
  #runners: RunnerPool | null;
  #opening: Promise<void> | null = null;
  #restUntilMs = 0;
  #closed = false;

  private constructor(
    ...[runners, open, options, onFault]: [
      ...[RunnerPool, () => Promise<RunnerPool>, RestoreOptions, (error: unknown) => void],
    ]
  ) {
    this.#runners = runners;
    this.#open = open;
    this.#options = options;
    this.#onFault = onFault;
  }

  /** @throws FaceOffError when the model is unknown, missing, another file, or does not fit its profile. */
  static async open(
    catalogue: Catalogue,
    options: RestoreOptions,
    onFault: (error: unknown) => void,
  ): Promise<Restorer> {
    const entry = catalogue.named(options.model, 'restorer');
    const make = () => GeneratorRunner.open(catalogue, entry, { ...options, boost: 1 });
    const open = () => RunnerPool.open(async () => ({ painter: await make(), region: null }), options.yieldWhile);
    return new Restorer(await open(), open, options, onFault);
  }

  /** Restores one face in place; a failure leaves the face as it was swapped. */
  async restore(frame: Frame, points: Float32Array): Promise<void> {
    if (performance.now() < this.#restUntilMs) return;
    const runners = this.#runners;
    if (runners === null) {
      this.#reopen();
      return;
    }
    try {
      const { blend: strength, budgetMs } = this.#options;
      const deadlineMs = frame.receivedAtMs + budgetMs;
      await runners.with(deadlineMs, ({ painter }) =>
        painter.paint(frame, points, { strength, colour: 0, deadlineMs }),
      );
    } catch (error) {
      this.#failed(error, runners);
    }
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#opening;
    await this.#runners?.close();
  }

  #failed(error: unknown, runners: RunnerPool): void {
    const code = error instanceof FaceOffError ? error.code : '';
    // Of several faces that were at it, only the first tells.
    if (code === 'too_late' || this.#closed || this.#runners !== runners) return;
    if (code === 'device_lost') {
      // What was open there is gone for good, and opened anew where the device is started again.
      this.#runners = null;
      void runners.close().catch(() => undefined);
      this.#reopen();
    } else {
      this.#rest(error);
    }
  }

  #rest(error: unknown): void {
    this.#restUntilMs = performance.now() + REST_MS;
    const why = error instanceof Error ? error.message : String(error);
    this.#onFault(new FaceOffError('restorer_failed', `Faces are not restored for a while: ${why}`, { cause: error }));
  }

  /** In the background; frames go on without it. */
  #reopen(): void {
    this.#opening ??= this.#open()
      .then(async (runners) => {
        if (this.#closed) await runners.close();
        else this.#runners = runners;
      })
      .catch((error: unknown) => {
        if (!this.#closed) this.#rest(error);
      })
      .finally(() => {
        this.#opening = null;
      });
  }
}
