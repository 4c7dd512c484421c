/** A swapper with another in reserve: where the first is not ready or fails, the second serves the frame. */

import type { Frame } from '../types.ts';
import type { LiveFace, Looks, Swapper } from './engine.ts';

export class ServedSwapper implements Swapper {
  readonly #first: () => Swapper | null;
  readonly #reserve: Swapper;
  readonly #onFailure: (error: unknown) => void;

  /**
   * @param first asked on every frame; null while it cannot serve.
   * @param onFailure told when the first failed on a frame.
   */
  constructor(first: () => Swapper | null, reserve: Swapper, onFailure: (error: unknown) => void) {
    this.#first = first;
    this.#reserve = reserve;
    this.#onFailure = onFailure;
  }

  async swap(frame: Frame, face: LiveFace, looks: Looks): Promise<void> {
    const first = this.#first();
    if (first !== null) {
      try {
        return await first.swap(frame, face, looks);
      } catch (error) {
        this.#onFailure(error);
      }
    }
    await this.#reserve.swap(frame, face, looks);
  }

  close(): void {
    this.#reserve.close();
  }
}
