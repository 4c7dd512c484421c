/** A swapper with another in reserve: where the first is not ready, too slow or fails, the second serves the frame. */

import type { Frame } from '../types.ts';
import type { LiveFace, Looks, Swapper } from './engine.ts';

export interface Served {
  /** Asked on every frame; null while it cannot serve. */
  first: () => Swapper | null;
  /** Null leaves the face as it is, which is the fallback's business. */
  reserve: Swapper | null;
  /** Told when the first failed on a frame. */
  onFailure: (error: unknown) => void;
  /** Loads the part of the frame about the face again: others had the memory while the first was waited for. */
  reload: (frame: Frame, face: LiveFace) => void;
}

export class ServedSwapper implements Swapper {
  readonly #parts: Served;

  constructor(parts: Served) {
    this.#parts = parts;
  }

  get waits(): boolean {
    return this.#parts.first() !== null;
  }

  /** @throws what the first threw, where there is no reserve. */
  async swap(frame: Frame, face: LiveFace, looks: Looks): Promise<void> {
    const { reserve, onFailure, reload } = this.#parts;
    const first = this.#parts.first();
    let failure: unknown = new NotReady();
    if (first !== null) {
      try {
        return await first.swap(frame, face, looks);
      } catch (error) {
        onFailure(error);
        failure = error;
        if (reserve !== null) reload(frame, face);
      }
    }
    if (reserve === null) throw failure;
    await reserve.swap(frame, face, looks);
  }

  close(): void {
    this.#parts.reserve?.close();
  }
}

/** The engine is on its way, and nothing else is to serve meanwhile. */
export class NotReady extends Error {
  constructor() {
    super('the engine is not ready');
  }
}
