import type { AccessUnit } from './h264-depacketizer.ts';

/** Least time between two requests for a keyframe, in milliseconds. */
const REQUEST_MS = 500;

/**
 * Lets through what can be decoded without a trace of a loss: from a keyframe on, until a picture is damaged or missing. While it is
 * closed it asks for a keyframe, at most twice a second. The caller gives the time, in milliseconds.
 */
export class KeyframeGate {
  readonly #requestKeyframe: () => void;
  #isOpen = false;
  #requestedAtMs = Number.NEGATIVE_INFINITY;

  /** @param requestKeyframe asks the sender for a keyframe. */
  constructor(requestKeyframe: () => void) {
    this.#requestKeyframe = requestKeyframe;
  }

  /** Whether to decode this picture. */
  passes(unit: AccessUnit, nowMs: number): boolean {
    if (unit.isDamaged) this.#isOpen = false;
    else if (unit.isKeyframe) this.#isOpen = true;
    else if (unit.isAfterLoss) this.#isOpen = false;
    if (!unit.isDamaged && !unit.hasPicture) return true;
    if (!this.#isOpen) this.#request(nowMs);
    return this.#isOpen;
  }

  /** Waits for a keyframe: the decoder failed, or pictures were left out. */
  close(nowMs: number): void {
    this.#isOpen = false;
    this.#request(nowMs);
  }

  #request(nowMs: number): void {
    if (nowMs - this.#requestedAtMs < REQUEST_MS) return;
    this.#requestedAtMs = nowMs;
    this.#requestKeyframe();
  }
}
