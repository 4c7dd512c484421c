import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import { NewestWins } from '../../lib/newest-wins.ts';
import type { Sound } from '../../media/sound.ts';
import type { Frame } from '../../shared/types.ts';
import { releaseBuffer } from '../webrtc/release-buffer.ts';
import type { Viewer } from './viewer.ts';

/**
 * A stream under one name, from its publisher to its viewers. The viewers stay when the publisher leaves, because
 * it may come back; its pictures then reach them on the same connections.
 */
export class NamedStream {
  readonly name: string;
  readonly viewers = new Set<Viewer>();
  readonly #newest: NewestWins<Frame>;
  #session: string | null = null;
  #last: Frame | null = null;
  /** Whether something else may still use the last frame. */
  #isShared = false;
  #modified = false;
  #endTimer: NodeJS.Timeout | undefined;

  /** @param onSkip called for a frame that no viewer gets, because newer frames arrived during a slow hand-over. */
  constructor(name: string, onSkip: () => void) {
    this.name = name;
    this.#newest = new NewestWins((frame) => this.#sendToViewers(frame), onSkip);
  }

  /** Whether the stream has a publisher. */
  get isLive(): boolean {
    return this.#session !== null;
  }

  /** Id of the publisher's session; null without a publisher. */
  get session(): string | null {
    return this.#session;
  }

  /** The frame shown now; null without a publisher and before the first frame. The caller must not change it. */
  get picture(): Frame | null {
    this.#isShared = true;
    return this.#last;
  }

  /** A publisher took the stream over. @param session id of its session. */
  begin(session: string): void {
    this.#session = session;
    clearTimeout(this.#endTimer);
  }

  /** The publisher left. @param patienceMs how long viewers wait for the next publisher before `onEnd` is called. */
  pause(patienceMs: number, onEnd: () => void): void {
    this.#session = null;
    this.#last = null;
    this.#newest.clear();
    this.#endTimer = setTimeout(onEnd, patienceMs);
  }

  /**
   * Shows a frame, which must not be changed any more: every viewer gets it soon. The buffer of the frame before it is
   * released, unless that frame is shared.
   * @param isShared whether something outside the stream keeps this frame too.
   */
  show(frame: Frame, isShared = false): void {
    if (this.#last !== null && this.#last !== frame && !this.#isShared) releaseBuffer(this.#last);
    this.#isShared = isShared || this.viewers.size > 0 || (this.#isShared && this.#last === frame);
    this.#last = frame;
    if (this.viewers.size > 0) this.#newest.put(frame);
  }

  /** Shows the last frame once more, so that viewers know it is current and new viewers see it. */
  repeatLast(): void {
    if (this.#last !== null) this.show(this.#last);
  }

  /** Sends ten milliseconds of sound to every viewer at once. */
  sendSound(sound: Sound): void {
    for (const viewer of this.viewers) viewer.sendSound(sound);
  }

  /** Sets whether the pictures are modified and tells the viewers. */
  disclose(modified: boolean): void {
    this.#modified = modified;
    for (const viewer of this.viewers) viewer.disclose(modified);
  }

  /** Adds a viewer and tells it whether the pictures are modified. */
  add(viewer: Viewer): void {
    this.viewers.add(viewer);
    viewer.disclose(this.#modified);
  }

  /** Closes all viewers. Idempotent. */
  end(why: string): void {
    clearTimeout(this.#endTimer);
    this.#newest.clear();
    for (const viewer of [...this.viewers]) viewer.close(why);
  }

  /** The copy for one viewer takes milliseconds, so the event loop runs between any two. */
  async #sendToViewers(frame: Frame): Promise<void> {
    for (const viewer of [...this.viewers]) {
      if (!viewer.isConnected) continue;
      await yieldToEventLoop();
      viewer.sendFrame(frame);
    }
  }
}
