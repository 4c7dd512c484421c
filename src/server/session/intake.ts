/** Frames on their way into a lane: at the rate that it asks for, one at a time, the newest of the others waits. */

import { NewestWins } from '../../lib/newest-wins.ts';
import type { Frame, SwappedFrame } from '../../shared/types.ts';
import { releaseBuffer } from '../webrtc/release-buffer.ts';
import { Pacer } from './pacer.ts';

export class Intake {
  readonly #latest: NewestWins<Frame>;
  readonly #pacer = new Pacer();
  readonly #onDrop: (isLate: boolean) => void;
  /** Frames since the last one that went in, whose place a newer one took. */
  #dropped = 0;

  /**
   * @param work has the lane swap a frame; null where the lane was lost with it. It must not reject.
   * @param onDrop told of each frame that does not go in: for want of time, or as the rate wants none of it.
   * @param place resolves when the lane has a place for a frame, to what gives it back.
   */
  constructor(
    work: (frame: Frame, dropped: number) => Promise<SwappedFrame | null>,
    onDrop: (isLate: boolean) => void,
    place?: () => Promise<() => void>,
  ) {
    this.#onDrop = onDrop;
    this.#latest = new NewestWins(
      async (frame) => {
        const dropped = this.#dropped;
        this.#dropped = 0;
        const done = await work(frame, dropped);
        if (done !== null) this.#pacer.fps = done.fps ?? Number.POSITIVE_INFINITY;
      },
      (frame) => {
        this.#dropped++;
        this.#leaveOut(frame, true);
      },
      place,
    );
  }

  /** Most pictures a second that go in now; Infinity where all may. */
  get fps(): number {
    return this.#pacer.fps;
  }

  put(frame: Frame): void {
    if (this.#pacer.takes(frame.receivedAtMs)) this.#latest.put(frame);
    else this.#leaveOut(frame, false);
  }

  #leaveOut(frame: Frame, isLate: boolean): void {
    releaseBuffer(frame);
    this.#onDrop(isLate);
  }

  /** Lets go of the waiting frame. */
  clear(): void {
    this.#latest.clear();
  }
}
