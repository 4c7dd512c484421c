import type { SwappedFrame } from '../../shared/types.ts';

/** Longest wait for the first swapped frame; the second value applies while the face is still being enrolled. */
const PATIENCE_MS = 1000;
const ENROLMENT_MS = 5000;

/**
 * The beginning of a stream. A stream with a chosen face begins with a swapped frame: until there is one, frames
 * that still show the camera's picture are held back.
 */
export class Opening {
  #beganAtMs: number | null = null;
  #isOver = false;

  /** Whether to hold this frame back. @param wantsFace whether a face is chosen. */
  holds({ result, frame: { receivedAtMs }, awaitsFace }: SwappedFrame, wantsFace: boolean): boolean {
    if (this.#isOver) return false;
    this.#beganAtMs ??= receivedAtMs;
    const patienceMs = awaitsFace === true ? ENROLMENT_MS : PATIENCE_MS;
    this.#isOver = !wantsFace || result === 'swapped' || receivedAtMs - this.#beganAtMs > patienceMs;
    return !this.#isOver;
  }
}
