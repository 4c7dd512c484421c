/** Whether somebody is speaking, told from the loudness of their microphone. */

import { loudness, PIECE_MS, type Sound } from './sound.ts';

/** How much louder than the room a voice is, and the least that counts. */
const ABOVE_ROOM = 3;
const LEAST = 0.01;
/** So long it must be heard, and so long it may pause between words. */
const BEGIN_MS = 60;
const PAUSE_MS = 500;
/** How fast the room's own noise is learnt, falling and rising, as shares a piece. */
const FALL = 0.1;
const RISE = 0.0005;

export class VoiceActivity {
  readonly #onChange: (speaking: boolean) => void;
  #room = 0.003;
  #heardMs = 0;
  #quietMs = 0;
  #speaking = false;

  constructor(onChange: (speaking: boolean) => void) {
    this.#onChange = onChange;
  }

  get speaking(): boolean {
    return this.#speaking;
  }

  hear(sound: Sound): void {
    const level = loudness(sound);
    this.#room += (level - this.#room) * (level < this.#room ? FALL : RISE);
    const loud = level > Math.max(LEAST, ABOVE_ROOM * this.#room);
    this.#heardMs = loud ? this.#heardMs + PIECE_MS : Math.max(0, this.#heardMs - PIECE_MS / 2);
    this.#quietMs = loud ? 0 : this.#quietMs + PIECE_MS;
    if (!this.#speaking && this.#heardMs >= BEGIN_MS) this.#turn(true);
    else if (this.#speaking && this.#quietMs >= PAUSE_MS) this.#turn(false);
  }

  #turn(speaking: boolean): void {
    this.#speaking = speaking;
    if (!speaking) this.#heardMs = 0;
    this.#onChange(speaking);
  }
}
