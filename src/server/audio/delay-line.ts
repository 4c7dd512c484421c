import { areAlike, blend, loudness, SOUND_PIECE_MS, type Sound } from '../../media/sound.ts';

/** Longest delay, in milliseconds. No swap takes longer; sound that would have to wait longer is sent. */
const LONGEST_MS = 1000;
/** Loudness (RMS) of a quiet room; a piece below it counts as a pause. */
const QUIET = 0.005;
/** An error above the first value is corrected in a pause, an error above the second one at once, in milliseconds. */
const CORRECT_MS = 8;
const CORRECT_AT_ONCE_MS = 30;

/**
 * Delays sound by the duration of a swap, which keeps it in step with the picture. The delay can change while sound
 * runs: the line then drops or repeats one piece, cross-faded with its neighbour, and waits for a pause if one
 * comes soon.
 */
export class DelayLine {
  #waiting: Sound[] = [];
  #last: Sound | null = null;

  /** Current delay, in milliseconds. */
  get delayMs(): number {
    return this.#waiting.length * SOUND_PIECE_MS;
  }

  /** Adds a piece and returns the piece that is due. @param wantedMs the delay to reach, clamped to 0..1000. */
  push(sound: Sound, wantedMs: number): Sound | null {
    const wanted = Math.min(LONGEST_MS, Math.max(0, wantedMs));
    // Another microphone or format: earlier pieces cannot be blended into it.
    if (this.#last !== null && !areAlike(this.#last, sound)) this.clear();
    if (this.#last === null) return this.#begin(sound, wanted);
    this.#waiting.push(sound);
    const next = this.#waiting[0]!;
    const tooLongMs = this.delayMs - SOUND_PIECE_MS - wanted;
    const toleratedMs = loudness(next) < QUIET ? CORRECT_MS : CORRECT_AT_ONCE_MS;
    if (tooLongMs > toleratedMs && this.#waiting.length > 1) {
      const [dropped, following] = this.#waiting.splice(0, 2) as [Sound, Sound];
      return this.#play(blend(dropped, following));
    }
    if (tooLongMs < -toleratedMs) return this.#play(blend(next, this.#last));
    this.#waiting.shift();
    return this.#play(next);
  }

  /** Drops all waiting pieces; the next piece begins anew. */
  clear(): void {
    this.#waiting = [];
    this.#last = null;
  }

  /** Fills the line with silence of the wanted duration. */
  #begin(sound: Sound, wantedMs: number): Sound {
    const silence = { ...sound, samples: new Int16Array(sound.samples.length) };
    const pieces = Math.round(wantedMs / SOUND_PIECE_MS);
    this.#waiting = [...Array<Sound>(pieces).fill(silence), sound];
    return this.#play(this.#waiting.shift()!);
  }

  #play(sound: Sound): Sound {
    this.#last = sound;
    return sound;
  }
}
