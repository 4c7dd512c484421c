import { NewestWins } from '../../lib/newest-wins.ts';
import type { Frame, SwappedFrame } from '../../shared/types.ts';
import { releaseBuffer } from '../webrtc/release-buffer.ts';
import { Pacer } from './pacer.ts';

/**
 * Admits a session's frames to its lane: at the rate that the lane's plan asks for, one at a time. Of the frames
 * that arrive meanwhile only the newest waits; the others are released.
 */
export class Intake {
  readonly #newest: NewestWins<Frame>;
  readonly #pacer = new Pacer();
  readonly #onDrop: (isLate: boolean) => void;
  /** Frames replaced by newer ones since the last admitted frame. */
  #dropped = 0;

  /**
   * @param swap swaps a frame in the lane; resolves to null if the lane was lost. It must not reject.
   * @param onDrop called for each frame left out: because time is short (`isLate`), or because the rate excludes it.
   * @param place waits for a free place in the lane; resolves to the function that frees it again.
   */
  constructor(
    swap: (frame: Frame, dropped: number) => Promise<SwappedFrame | null>,
    onDrop: (isLate: boolean) => void,
    place?: () => Promise<() => void>,
  ) {
    this.#onDrop = onDrop;
    this.#newest = new NewestWins(
      async (frame) => {
        const dropped = this.#dropped;
        this.#dropped = 0;
        const done = await swap(frame, dropped);
        if (done !== null) this.#pacer.fps = done.fps ?? Number.POSITIVE_INFINITY;
      },
      (frame) => {
        this.#dropped++;
        this.#leaveOut(frame, true);
      },
      place,
    );
  }

  /** Highest rate at which frames are admitted now, per second; Infinity without a limit. */
  get fps(): number {
    return this.#pacer.fps;
  }

  /** Takes a frame, which the intake now owns: its buffer is released if it is left out. */
  put(frame: Frame): void {
    if (this.#pacer.takes(frame.receivedAtMs)) this.#newest.put(frame);
    else this.#leaveOut(frame, false);
  }

  #leaveOut(frame: Frame, isLate: boolean): void {
    releaseBuffer(frame);
    this.#onDrop(isLate);
  }

  /** Drops the waiting frame. */
  clear(): void {
    this.#newest.clear();
  }
}
