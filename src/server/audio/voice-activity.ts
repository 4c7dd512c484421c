import { loudness, SOUND_PIECE_MS, type Sound } from '../../media/sound.ts';

/** Ratio of a voice's loudness to the noise floor, and the lowest loudness (RMS) that counts as a voice. */
const ABOVE_FLOOR = 3;
const LEAST = 0.01;
/** How long a voice has to last until speech begins, and how long a pause between words may last. */
const BEGIN_MS = 60;
const PAUSE_MS = 500;
/** Smoothing factors (EWMA) of the noise floor, per piece, for falling and for rising loudness. */
const FALL = 0.1;
const RISE = 0.0005;

/** Voice activity detection: compares the loudness of a microphone with an adaptive noise floor. */
export class VoiceActivity {
  readonly #onChange: (speaking: boolean) => void;
  #noiseFloor = 0.003;
  #loudMs = 0;
  #quietMs = 0;
  #speaking = false;

  constructor(onChange: (speaking: boolean) => void) {
    this.#onChange = onChange;
  }

  get speaking(): boolean {
    return this.#speaking;
  }

  /** Takes the next piece of the microphone's sound; calls `onChange` when speech begins or ends with it. */
  addSound(sound: Sound): void {
    const level = loudness(sound);
    this.#noiseFloor += (level - this.#noiseFloor) * (level < this.#noiseFloor ? FALL : RISE);
    const isLoud = level > Math.max(LEAST, ABOVE_FLOOR * this.#noiseFloor);
    this.#loudMs = isLoud ? this.#loudMs + SOUND_PIECE_MS : Math.max(0, this.#loudMs - SOUND_PIECE_MS / 2);
    this.#quietMs = isLoud ? 0 : this.#quietMs + SOUND_PIECE_MS;
    if (!this.#speaking && this.#loudMs >= BEGIN_MS) this.#change(true);
    else if (this.#speaking && this.#quietMs >= PAUSE_MS) this.#change(false);
  }

  #change(speaking: boolean): void {
    this.#speaking = speaking;
    if (!speaking) this.#loudMs = 0;
    this.#onChange(speaking);
  }
}
