/** A swapper with another in reserve: where the first is not ready, too slow or fails, the second serves the frame. */

import type { Frame } from '../../shared/types.ts';
import type { LiveFace, Looks, Swapper } from './engine.ts';

/** Who is to serve a frame first. */
export interface First {
  swapper: Swapper;
  /** Told when it failed on the frame. */
  onFailure: (error: unknown) => void;
}

export interface Served {
  /** Asked once for every frame; null while it cannot serve. */
  first: () => First | null;
  /** Null leaves the face as it is, which is the fallback's business. */
  reserve: Swapper | null;
  /** Loads the face's region again, whose handle became stale while the first was waited for. */
  reload: (frame: Frame, face: LiveFace) => LiveFace;
}

export class FallbackSwapper implements Swapper {
  readonly #parts: Served;
  /** Who serves the frame in hand. It stays so, whatever changes until its turn comes. */
  #first: First | null = null;

  constructor(parts: Served) {
    this.#parts = parts;
  }

  waits(): boolean {
    this.#first = this.#parts.first();
    return this.#first !== null;
  }

  /** @throws what the first threw, where there is no reserve. */
  async swap(frame: Frame, face: LiveFace, looks: Looks): Promise<void> {
    const { reserve, reload } = this.#parts;
    const first = this.#first;
    this.#first = null;
    let live = face;
    let failure: unknown = new NotReady();
    if (first !== null) {
      try {
        return await first.swapper.swap(frame, face, looks);
      } catch (error) {
        first.onFailure(error);
        failure = error;
        if (reserve !== null) live = reload(frame, face);
      }
    }
    if (reserve === null) throw failure;
    await reserve.swap(frame, live, looks);
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
