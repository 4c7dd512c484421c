/** Sharpens a swapped face by a restoration model, blended over it. A stage of its own, on the plans that have time. */

import { FaceOffError } from '../../errors.ts';
import type { Catalogue } from '../models/catalogue.ts';
import type { Frame } from '../types.ts';
import { Painter, type PaintOptions } from './neural/painter.ts';

export interface RestoreOptions extends Omit<PaintOptions, 'boost'> {
  model: string;
  /** How much of the restored face shows, 0..1. */
  blend: number;
}

/** A restorer that failed is left out for so long. */
const REST_MS = 10_000;

export class Restorer {
  readonly #painter: Painter;
  readonly #blend: number;
  readonly #onFault: (error: unknown) => void;
  #restUntilMs = 0;

  private constructor(painter: Painter, blend: number, onFault: (error: unknown) => void) {
    this.#painter = painter;
    this.#blend = blend;
    this.#onFault = onFault;
  }

  /** @throws FaceOffError when the model is unknown, missing, another file, or does not fit its profile. */
  static async open(
    catalogue: Catalogue,
    options: RestoreOptions,
    onFault: (error: unknown) => void,
  ): Promise<Restorer> {
    const entry = catalogue.named(options.model, 'restorer');
    const painter = await Painter.open(catalogue, entry, { ...options, boost: 1 });
    return new Restorer(painter, options.blend, onFault);
  }

  /** Restores one face in place; a failure leaves the face as it was swapped. */
  async restore(frame: Frame, points: Float32Array): Promise<void> {
    if (performance.now() < this.#restUntilMs) return;
    try {
      await this.#painter.paint(frame, points, { strength: this.#blend, colour: 0 });
    } catch (error) {
      this.#restUntilMs = performance.now() + REST_MS;
      const why = error instanceof Error ? error.message : String(error);
      this.#onFault(
        new FaceOffError('restorer_failed', `Faces are not restored for a while: ${why}`, { cause: error }),
      );
    }
  }

  /** Idempotent. */
  close(): Promise<void> {
    return this.#painter.close();
  }
}
