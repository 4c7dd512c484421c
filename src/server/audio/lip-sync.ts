import { SOUND_OUT_MS, type Sound } from '../../media/sound.ts';
import type { Frame } from '../../shared/types.ts';
import type { BufferDelays } from '../webrtc/peer.ts';
import { DelayLine } from './delay-line.ts';

/** What `LipSync` measures with and where it delivers to. */
export interface LipSyncParts {
  /** How long sound and pictures waited in the peer's buffers before delivery; null while that is unknown. */
  buffersMs(): Promise<BufferDelays | null>;
  onSound(sound: Sound): void;
  onFrame(frame: Frame): void;
}

/** Incoming sound is late by its jitter buffer and by this: its packets hold 20 ms, and it is read 10 ms at a time. */
const IN_MS = 15;
/** Assumed difference between the sound's and the picture's buffers until the first measurement. */
const BEGIN_MS = 30;
/** Longest time that a picture waits for its sound. */
const LONGEST_HOLD_MS = 300;
const MEASURE_MS = 500;
/** After this time without sound, pictures no longer wait. */
const SILENT_MS = 500;
/** Smoothing factors (EWMA) of the means, per frame and per measurement. */
const FOLLOW_FRAME = 0.05;
const FOLLOW_BUFFER = 0.7;

/**
 * Keeps a publisher's sound in step with the pictures. Pictures are late by the time of their swap; sound is late
 * by its jitter buffer, which is longer than the picture's, and on the way out by its packets. Whichever of the two
 * is early waits for the other.
 */
export class LipSync {
  readonly #parts: LipSyncParts;
  readonly #delay = new DelayLine();
  #frameMs = 0;
  #bufferMs = BEGIN_MS;
  #lastSoundAtMs = Number.NEGATIVE_INFINITY;
  #held: { frame: Frame; dueAtMs: number }[] = [];
  #holdTimer: NodeJS.Timeout | undefined;
  #measureTimer: NodeJS.Timeout | undefined;
  #closed = false;
  /** How much later the sound is to be than measured, in milliseconds; negative: earlier. */
  offsetMs = 0;

  constructor(parts: LipSyncParts) {
    this.#parts = parts;
  }

  /** How far incoming sound is behind the pictures that leave the swap, in milliseconds; negative if it is ahead. */
  get behindMs(): number {
    return this.#bufferMs + IN_MS - this.#frameMs - this.offsetMs;
  }

  /** How far the sound is behind the pictures where viewers hear it, in milliseconds; negative if it is ahead. */
  get lagMs(): number {
    return this.behindMs + SOUND_OUT_MS;
  }

  /** How long sound waits for its picture, in milliseconds; negative: the picture waits for it. Null without sound. */
  get soundDelayMs(): number | null {
    if (this.#isSilent(performance.now())) return null;
    return Math.round(Math.max(-LONGEST_HOLD_MS, -this.lagMs));
  }

  /** Adds one measurement: how long a frame took from the decoder to the end of its swap. */
  addFrameTime(frameMs: number): void {
    this.#frameMs += (frameMs - this.#frameMs) * (this.#frameMs === 0 ? 1 : FOLLOW_FRAME);
  }

  /**
   * Takes the next piece of sound; `onSound` gets the piece that is due now. The first call starts the
   * measurements.
   */
  addSound(sound: Sound): void {
    if (this.#closed) return;
    this.#lastSoundAtMs = performance.now();
    this.#measureTimer ??= setInterval(() => void this.#measure(), MEASURE_MS);
    const due = this.#delay.push(sound, -this.lagMs);
    if (due !== null) this.#parts.onSound(due);
  }

  /** Takes a swapped frame; `onFrame` gets it at once, or after at most 300 ms while its sound is late. */
  addFrame(frame: Frame): void {
    if (this.#closed) return;
    const nowMs = performance.now();
    const holdMs = this.#isSilent(nowMs) ? 0 : Math.min(LONGEST_HOLD_MS, Math.max(0, this.lagMs));
    if (holdMs === 0 && this.#held.length === 0) {
      this.#parts.onFrame(frame);
      return;
    }
    this.#held.push({ frame, dueAtMs: nowMs + holdMs });
    if (this.#held.length === 1) this.#holdNext();
  }

  #isSilent(nowMs: number): boolean {
    return nowMs - this.#lastSoundAtMs > SILENT_MS;
  }

  /** Drops the frames that wait for their sound. */
  dropFrames(): void {
    clearTimeout(this.#holdTimer);
    this.#held = [];
  }

  /** Idempotent. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#measureTimer);
    this.dropFrames();
    this.#delay.clear();
  }

  #holdNext(): void {
    const first = this.#held[0];
    if (first === undefined) return;
    this.#holdTimer = setTimeout(() => {
      this.#held.shift();
      this.#parts.onFrame(first.frame);
      this.#holdNext();
    }, first.dueAtMs - performance.now());
  }

  async #measure(): Promise<void> {
    const buffers = await this.#parts.buffersMs().catch(() => null);
    if (buffers === null) return;
    this.#bufferMs += (buffers.sound - buffers.picture - this.#bufferMs) * FOLLOW_BUFFER;
  }
}
