/** A stream that wants a face begins with a swapped picture: until there is one, pictures as the camera gave them are left out. */

import type { SwappedFrame } from '../../shared/types.ts';

/** Longest that the first picture is waited for; longer where the face is still being made ready. */
const PATIENCE_MS = 1000;
const ENROLMENT_MS = 5000;

export class Opening {
  #beganAtMs: number | null = null;
  #isOver = false;

  /** Whether this picture is to be left out. @param wanting whether a face is chosen. */
  holds({ result, frame: { receivedAtMs }, awaitsFace }: SwappedFrame, wanting: boolean): boolean {
    if (this.#isOver) return false;
    this.#beganAtMs ??= receivedAtMs;
    const patienceMs = awaitsFace === true ? ENROLMENT_MS : PATIENCE_MS;
    this.#isOver = !wanting || result === 'swapped' || receivedAtMs - this.#beganAtMs > patienceMs;
    return !this.#isOver;
  }
}
