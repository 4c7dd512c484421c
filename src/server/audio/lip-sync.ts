/**
 * Keeps a publisher's sound in step with the pictures. Pictures are late by the time of their swap; sound is late by its
 * jitter buffer, which is the longer of the two, and on its way out by the packets it is put into. Whichever is early
 * waits for the other.
 */

import type { Frame } from '../../shared/types.ts';
import type { Buffers } from '../webrtc/peer.ts';
import { DelayLine } from './delay-line.ts';
import type { Sound } from './sound.ts';

export interface LipSyncParts {
  /** How long sound and pictures waited before they came here; null while that is not known. */
  buffersMs(): Promise<Buffers | null>;
  onSound(sound: Sound): void;
  onPicture(frame: Frame): void;
}

/** Sound that comes in is late by its buffer and by this: its packets hold 20 ms, and it is read 10 ms at a time. */
const IN_MS = 15;
/** Sound that goes out is late by this: the packet, and a jitter buffer in the browser that is longer than the picture's. */
const OUT_MS = 40;
/** What sound waits in its buffer more than pictures, before it was measured. */
const BEGIN_MS = 30;
/** Pictures wait no longer than this for their sound. */
const LONGEST_HOLD_MS = 200;
const MEASURE_MS = 500;
/** After so long without sound, pictures wait no more. */
const SILENT_MS = 500;
/** How fast the means follow, as shares of a frame and of a measurement. */
const FOLLOW_FRAME = 0.05;
const FOLLOW_BUFFER = 0.7;

export class LipSync {
  readonly #parts: LipSyncParts;
  readonly #delay = new DelayLine();
  #frameMs = 0;
  #bufferMs = BEGIN_MS;
  #heardAtMs = Number.NEGATIVE_INFINITY;
  #held: { frame: Frame; dueAtMs: number }[] = [];
  #next: NodeJS.Timeout | undefined;
  #measuring: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(parts: LipSyncParts) {
    this.#parts = parts;
  }

  /** How far sound that comes in is behind the pictures that leave the swap; negative is ahead. */
  get behindMs(): number {
    return this.#bufferMs + IN_MS - this.#frameMs;
  }

  /** The same as far as listeners are concerned. */
  get lagMs(): number {
    return this.behindMs + OUT_MS;
  }

  /** Takes in how long a frame took, from the decoder to the end of its swap. */
  took(frameMs: number): void {
    this.#frameMs += (frameMs - this.#frameMs) * (this.#frameMs === 0 ? 1 : FOLLOW_FRAME);
  }

  sound(sound: Sound): void {
    if (this.#closed) return;
    this.#heardAtMs = performance.now();
    this.#measuring ??= setInterval(() => void this.#measure(), MEASURE_MS);
    const due = this.#delay.push(sound, -this.lagMs);
    if (due !== null) this.#parts.onSound(due);
  }

  picture(frame: Frame): void {
    if (this.#closed) return;
    const nowMs = performance.now();
    const isSilent = nowMs - this.#heardAtMs > SILENT_MS;
    const holdMs = isSilent ? 0 : Math.min(LONGEST_HOLD_MS, Math.max(0, this.lagMs));
    if (holdMs === 0 && this.#held.length === 0) {
      this.#parts.onPicture(frame);
      return;
    }
    this.#held.push({ frame, dueAtMs: nowMs + holdMs });
    if (this.#held.length === 1) this.#wait();
  }

  /** Forgets the pictures that wait. */
  drop(): void {
    clearTimeout(this.#next);
    this.#held = [];
  }

  /** Idempotent. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#measuring);
    this.drop();
    this.#delay.clear();
  }

  #wait(): void {
    const first = this.#held[0];
    if (first === undefined) return;
    this.#next = setTimeout(() => {
      this.#held.shift();
      this.#parts.onPicture(first.frame);
      this.#wait();
    }, first.dueAtMs - performance.now());
  }

  async #measure(): Promise<void> {
    const buffers = await this.#parts.buffersMs().catch(() => null);
    if (buffers === null) return;
    this.#bufferMs += (buffers.sound - buffers.picture - this.#bufferMs) * FOLLOW_BUFFER;
  }
}
