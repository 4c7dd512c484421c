/**
 * Holds sound back for as long as a swap takes, so that it stays in step with the picture. The time can change while it
 * runs: a piece is then left out or played twice, blended into its neighbour, in a pause if one comes soon.
 */

import { areAlike, blend, loudness, PIECE_MS, type Sound } from './sound.ts';

/** Nobody's pictures take longer; what would have to wait beyond that goes out. */
const LONGEST_MS = 1000;
/** As loud as a quiet room. */
const QUIET = 0.005;
/** Off by more than this is mended in a pause, and by more than that at once. */
const MEND_MS = 8;
const MEND_AT_ONCE_MS = 30;

export class DelayLine {
  #waiting: Sound[] = [];
  #last: Sound | null = null;

  /** How long sound is held back just now, in milliseconds. */
  get delayMs(): number {
    return this.#waiting.length * PIECE_MS;
  }

  /** Takes a piece in; returns the one whose turn it is, or null while there is none. @param wantedMs 0 to 1000. */
  push(sound: Sound, wantedMs: number): Sound | null {
    const wanted = Math.min(LONGEST_MS, Math.max(0, wantedMs));
    // Another microphone or format: nothing of the one before can be blended into it.
    if (this.#last !== null && !areAlike(this.#last, sound)) this.clear();
    if (this.#last === null) return this.#begin(sound, wanted);
    this.#waiting.push(sound);
    const next = this.#waiting[0]!;
    const tooLongMs = this.delayMs - PIECE_MS - wanted;
    const due = loudness(next) < QUIET ? MEND_MS : MEND_AT_ONCE_MS;
    if (tooLongMs > due && this.#waiting.length > 1) {
      const [left, taken] = this.#waiting.splice(0, 2) as [Sound, Sound];
      return this.#play(blend(left, taken));
    }
    if (tooLongMs < -due) return this.#play(blend(next, this.#last));
    this.#waiting.shift();
    return this.#play(next);
  }

  clear(): void {
    this.#waiting = [];
    this.#last = null;
  }

  /** Silence comes first. */
  #begin(sound: Sound, wantedMs: number): Sound {
    const silence = { ...sound, samples: new Int16Array(sound.samples.length) };
    const pieces = Math.round(wantedMs / PIECE_MS);
    this.#waiting = [...Array<Sound>(pieces).fill(silence), sound];
    return this.#play(this.#waiting.shift()!);
  }

  #play(sound: Sound): Sound {
    this.#last = sound;
    return sound;
  }
}
