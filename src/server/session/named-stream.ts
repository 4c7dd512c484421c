/**
 * What is shown under one name. Its viewers stay when its publisher goes, for it may come back, and then see it on the
 * same connection.
 */

import { setImmediate as turn } from 'node:timers/promises';
import { NewestWins } from '../../lib/newest-wins.ts';
import type { Frame } from '../../shared/types.ts';
import type { Sound } from '../audio/sound.ts';
import { releaseBuffer } from '../webrtc/release-buffer.ts';
import type { Viewer } from './viewer.ts';

export class NamedStream {
  readonly name: string;
  readonly viewers = new Set<Viewer>();
  readonly #latest: NewestWins<Frame>;
  #live = true;
  #last: Frame | null = null;
  /** Whether others may still use it. */
  #isShared = false;
  #modified = false;
  #patience: NodeJS.Timeout | undefined;

  /** @param onSkip a frame came while the one before was still being handed to the viewers, and the one between is left out. */
  constructor(name: string, onSkip: () => void) {
    this.name = name;
    this.#latest = new NewestWins((frame) => this.#hand(frame), onSkip);
  }

  /** Whether it has a publisher. */
  get isLive(): boolean {
    return this.#live;
  }

  /** What it shows; null while it has no publisher, and before the first picture. */
  get picture(): Frame | null {
    this.#isShared = true;
    return this.#last;
  }

  /** A publisher is there again. */
  begin(): void {
    this.#live = true;
    clearTimeout(this.#patience);
  }

  /** The publisher went. @param patienceMs how long viewers may wait for the next one. */
  pause(patienceMs: number, onEnd: () => void): void {
    this.#live = false;
    this.#last = null;
    this.#latest.clear();
    this.#patience = setTimeout(onEnd, patienceMs);
  }

  /**
   * To every viewer, soon; the picture must not be changed any more. The one before is let go of, if nobody else has it.
   * @param isShared whether somebody else has this one, too.
   */
  show(frame: Frame, isShared = false): void {
    if (this.#last !== null && this.#last !== frame && !this.#isShared) releaseBuffer(this.#last);
    this.#isShared = isShared || this.viewers.size > 0 || (this.#isShared && this.#last === frame);
    this.#last = frame;
    if (this.viewers.size > 0) this.#latest.put(frame);
  }

  /** The picture stands still: viewers are told so, and new ones see it. */
  again(): void {
    if (this.#last !== null) this.show(this.#last);
  }

  /** To every viewer at once. */
  hear(sound: Sound): void {
    for (const viewer of this.viewers) viewer.hear(sound);
  }

  /** Whether its pictures are modified; viewers are told. */
  disclose(modified: boolean): void {
    this.#modified = modified;
    for (const viewer of this.viewers) viewer.disclose(modified);
  }

  add(viewer: Viewer): void {
    this.viewers.add(viewer);
    viewer.disclose(this.#modified);
  }

  end(why: string): void {
    clearTimeout(this.#patience);
    this.#latest.clear();
    for (const viewer of [...this.viewers]) viewer.close(why);
  }

  /** A copy for a viewer takes milliseconds, so publishers get their turn between any two. */
  async #hand(frame: Frame): Promise<void> {
    for (const viewer of [...this.viewers]) {
      if (!viewer.isConnected) continue;
      await turn();
      viewer.show(frame);
    }
  }
}
