/** The content check of one stream: samples what goes out, and makes a mosaic of it while it may not be shown. */

import type { SwappedFrame } from '../../shared/types.ts';
import type { PictureCheck } from './content-check.ts';
import { ContentVotes } from './content-votes.ts';
import { pixelate } from './pixelate.ts';
import { sampleOf } from './sample.ts';

/** Time between two checks, and while the last one voted to block. */
const INTERVAL_MS = 1000;
const SUSPICIOUS_MS = 500;
/** A check that takes longer counts as failed. */
const STALLED_MS = 5000;

/** Why a picture is hidden: the check blocked it, or could not be made in a guarded stream. */
export type HiddenReason = 'blocked' | 'unchecked';

/** What a guard reports. */
export interface GuardListener {
  /** Checks begin to block the picture, or block it no more. */
  onBlocked(isBlocked: boolean): void;
  /** The check begins to fail. @param error what it met. */
  onFailure(error: unknown): void;
}

/** Main thread. A frame costs nothing but the one in a second that is sampled, and while the picture is hidden. */
export class ContentGuard {
  readonly #check: PictureCheck;
  readonly #votes: ContentVotes;
  readonly #listener: GuardListener;
  #checks = 0;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #isAsking = false;
  #isFailing = false;
  /** Whether no check has answered yet. */
  #isNew = true;
  #hidden: HiddenReason | null = null;

  constructor(check: PictureCheck, threshold: number, listener: GuardListener) {
    this.#check = check;
    this.#votes = new ContentVotes(threshold);
    this.#listener = listener;
  }

  /** Why the last frame was hidden; null where it was not. */
  get hidden(): HiddenReason | null {
    return this.#hidden;
  }

  /**
   * Has the picture checked when it is time, and hides it, in place, where it may not be shown. A hidden frame exposes no
   * face.
   * @param wantsSwap whether the settings want any face swapped; other streams are not checked.
   * @param guarded whether the stream is hidden while the check fails, and until it first answers.
   */
  pass(done: SwappedFrame, wantsSwap: boolean, guarded: boolean): SwappedFrame {
    this.#hidden = null;
    if (!wantsSwap || done.result === 'dropped') return done;
    const nowMs = performance.now();
    if (this.#isAsking && nowMs - this.#askedAtMs > STALLED_MS) this.#fail(new Error('it does not answer'));
    if (!this.#isAsking && nowMs - this.#askedAtMs >= (this.#votes.isSuspicious ? SUSPICIOUS_MS : INTERVAL_MS))
      void this.#ask(done, nowMs);
    if (this.#votes.isBlocked) this.#hidden = 'blocked';
    else if (guarded && (this.#isFailing || this.#isNew)) this.#hidden = 'unchecked';
    if (this.#hidden === null) return done;
    pixelate(done.frame);
    return { ...done, hold: false, exposed: false };
  }

  async #ask({ frame }: SwappedFrame, nowMs: number): Promise<void> {
    this.#isAsking = true;
    this.#askedAtMs = nowMs;
    try {
      // Every other check sees the picture mirrored: what is taken wrongly for one kind seldom is both ways.
      const score = await this.#check.score(sampleOf(frame, this.#checks++ % 2 === 1));
      this.#isFailing = false;
      this.#isNew = false;
      if (this.#votes.observe(score)) this.#listener.onBlocked(this.#votes.isBlocked);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#isAsking = false;
    }
  }

  #fail(error: unknown): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#listener.onFailure(error);
  }
}
