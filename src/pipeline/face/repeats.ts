/** Detection of frames that show the same picture of a face again. */

import type { Rect } from '../../shared/geometry.ts';
import type { Frame } from '../../shared/types.ts';

/** Samples across and down the face. */
const SIDE = 48;
/** Mean difference of luma, of 255 steps, up to which a picture is the same: what an encoder makes of no change. */
const MEAN_STEP = 0.15;
/** Greatest difference of one sample in it. A blink changes some samples by ten times as much. */
const MOST_STEP = 6;

/**
 * Tells whether a face's part of the frame is the picture of before: a camera of 15 fps in a stream of 30, a still
 * picture. Such a frame has nothing new to say of the face. Compares with the last picture that was new, so that
 * slow movement adds up.
 */
export class FaceRepeats {
  /** Indices of the samples in the luma plane. */
  readonly #places = new Int32Array(SIDE * SIDE);
  readonly #values = new Uint8Array(SIDE * SIDE);
  /** Width and height of the frame that was sampled; 0 before the first. */
  #width = 0;
  #height = 0;

  /** Samples a new picture. @param box the face, in pixels of the frame; what lies outside of it is clamped. */
  remember({ width, height, data }: Frame, box: Rect): void {
    this.#width = width;
    this.#height = height;
    for (let i = 0; i < SIDE * SIDE; i++) {
      const x = box.x + (((i % SIDE) + 0.5) / SIDE) * box.width;
      const y = box.y + ((Math.floor(i / SIDE) + 0.5) / SIDE) * box.height;
      const column = Math.min(width - 1, Math.max(0, Math.round(x)));
      const row = Math.min(height - 1, Math.max(0, Math.round(y)));
      const place = row * width + column;
      this.#places[i] = place;
      this.#values[i] = data[place]!;
    }
  }

  /** Whether a frame shows that picture again. */
  isRepeat({ width, height, data }: Frame): boolean {
    if (width !== this.#width || height !== this.#height) return false;
    let sum = 0;
    for (let i = 0; i < SIDE * SIDE; i++) {
      const off = Math.abs(data[this.#places[i]!]! - this.#values[i]!);
      if (off > MOST_STEP) return false;
      sum += off;
    }
    return sum <= MEAN_STEP * SIDE * SIDE;
  }
}
