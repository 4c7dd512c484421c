/** A swapper with a fallback: where the primary is not ready, too slow or fails, the fallback swaps the frame. */

import type { Frame } from '../../shared/types.ts';
import type { LiveFace, Looks, Swapper } from './engine.ts';

/** The swapper that serves a frame first. */
export interface Primary {
  swapper: Swapper;
  /** Called when the swapper failed on the frame. */
  onFailure: (error: unknown) => void;
}

/** What a FallbackSwapper is made of. */
export interface FallbackParts {
  /** Called once for each frame; null while the primary cannot serve. */
  primary: () => Primary | null;
  /** Null leaves the face as it is, so that the frame becomes the session's concern. */
  fallback: Swapper | null;
  /** Loads the face's region again, whose handle became stale while the primary was awaited. */
  reload: (frame: Frame, face: LiveFace) => LiveFace;
}

/** Chooses between two swappers once a frame. Closes the fallback only; the primary's engine outlives it. */
export class FallbackSwapper implements Swapper {
  readonly #parts: FallbackParts;
  /**
   * The choice for the current frame, made in `waits` and kept although the engine's state may change before `swap`.
   */
  #primary: Primary | null = null;

  constructor(parts: FallbackParts) {
    this.#parts = parts;
  }

  waits(): boolean {
    this.#primary = this.#parts.primary();
    return this.#primary !== null;
  }

  /** @throws whatever the primary threw, or NotReady, where there is no fallback. */
  async swap(frame: Frame, face: LiveFace, looks: Looks): Promise<void> {
    const { fallback, reload } = this.#parts;
    const primary = this.#primary;
    this.#primary = null;
    let live = face;
    let failure: unknown = new NotReady();
    if (primary !== null) {
      try {
        return await primary.swapper.swap(frame, face, looks);
      } catch (error) {
        primary.onFailure(error);
        failure = error;
        if (fallback !== null) live = reload(frame, face);
      }
    }
    if (fallback === null) throw failure;
    await fallback.swap(frame, live, looks);
  }

  close(): void {
    this.#parts.fallback?.close();
  }
}

/** The engine is still being opened or paused, and there is no fallback. */
export class NotReady extends Error {
  constructor() {
    super('the engine is not ready');
  }
}
