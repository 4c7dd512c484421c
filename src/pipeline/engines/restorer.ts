/** Sharpens a swapped face by a restoration model, blended over it. A stage of its own, on the plans that have time. */

import { FaceOffError } from '../../errors.ts';
import type { Catalogue } from '../models/catalogue.ts';
import type { Frame } from '../types.ts';
import { Brushes } from './neural/brushes.ts';
import { Painter, type PaintOptions } from './neural/painter.ts';

export interface RestoreOptions extends Omit<PaintOptions, 'boost'> {
  model: string;
  /** How much of the restored face shows, 0..1. */
  blend: number;
  /** How long a frame may take from its arrival. */
  budgetMs: number;
}

/** A restorer that failed is left out for so long. */
const REST_MS = 10_000;

export class Restorer {
  readonly #brushes: Brushes;
  readonly #options: RestoreOptions;
  readonly #onFault: (error: unknown) => void;
  #restUntilMs = 0;

  private constructor(brushes: Brushes, options: RestoreOptions, onFault: (error: unknown) => void) {
    this.#brushes = brushes;
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
    const make = () => Painter.open(catalogue, entry, { ...options, boost: 1 });
    const brushes = await Brushes.open(async () => ({ painter: await make(), region: null }));
    return new Restorer(brushes, options, onFault);
  }

  /** Restores one face in place; a failure leaves the face as it was swapped. */
  async restore(frame: Frame, points: Float32Array): Promise<void> {
    if (performance.now() < this.#restUntilMs) return;
    try {
      const { blend: strength, budgetMs } = this.#options;
      const deadlineMs = frame.receivedAtMs + budgetMs;
      await this.#brushes.with(({ painter }) => painter.paint(frame, points, { strength, colour: 0, deadlineMs }));
    } catch (error) {
      if (error instanceof FaceOffError && error.code === 'too_late') return;
      this.#restUntilMs = performance.now() + REST_MS;
      const why = error instanceof Error ? error.message : String(error);
      this.#onFault(
        new FaceOffError('restorer_failed', `Faces are not restored for a while: ${why}`, { cause: error }),
      );
    }
  }

  /** Idempotent. */
  close(): Promise<void> {
    return this.#brushes.close();
  }
}
