import type { AccessUnit } from './h264-depacketizer.ts';

/** Least time between two requests for a keyframe, in milliseconds. */
const REQUEST_MS = 500;

/** What becomes of a picture; `restart` lets it through and says that nothing before it may be built on. */
export type Passage = 'pass' | 'restart' | 'drop';

/**
 * Lets through what can be decoded without a trace of a loss: from a keyframe or the beginning of a recovery on, until a
 * picture is damaged or missing. While it is closed it asks for a keyframe, at most twice a second. The caller gives the
 * time, in milliseconds.
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
  passage(unit: AccessUnit, nowMs: number): Passage {
    if (unit.isDamaged || (unit.isAfterLoss && !unit.isKeyframe)) this.#isOpen = false;
    if (this.#isOpen) return 'pass';
    // A keyframe shows a picture sooner than a recovery, which takes a second or more.
    if (unit.isDamaged || !unit.isKeyframe) this.#request(nowMs);
    if (unit.isDamaged || (!unit.isKeyframe && unit.recoveryFrames === null)) return 'drop';
    this.#isOpen = true;
    return 'restart';
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
