/** The pictures for backgrounds that a lane has read. */

import { readFile } from 'node:fs/promises';
import { rgbToFrame } from '../../faces/portrait.ts';
import { sharp } from '../../lib/sharp.ts';
import { FaceOffError } from '../../shared/errors.ts';
import type { Frame } from '../../shared/types.ts';
import { pictureFile } from '../background/picture-file.ts';

/** Most pictures that are kept, 3 MB each at most. */
const MOST_KEPT = 8;

/** Reads a picture when it is first asked for; one instance a lane, in its thread. A picture's file never changes. */
export class BackdropPictures {
  readonly #folder: string;
  readonly #onFault: (error: unknown) => void;
  readonly #reading = new Map<string, Promise<void>>();
  /** By id, the one that was asked for last at the end; null while a picture is being read, or could not be. */
  readonly #pictures = new Map<string, Frame | null>();

  /** @param onFault receives why a picture cannot be shown. */
  constructor(folder: string, onFault: (error: unknown) => void) {
    this.#folder = folder;
    this.#onFault = onFault;
  }

  /** The picture of an id; null until it is read, and where it cannot be. Never waits. */
  get(id: string): Frame | null {
    const known = this.#pictures.get(id);
    if (known === undefined) this.#begin(id);
    else {
      this.#pictures.delete(id);
      this.#pictures.set(id, known);
    }
    return known ?? null;
  }

  /** Resolves when a picture that was asked for is read, or could not be. */
  async settled(id: string): Promise<void> {
    await this.#reading.get(id);
  }

  #begin(id: string): void {
    this.#pictures.set(id, null);
    for (const [oldest] of this.#pictures) if (this.#pictures.size > MOST_KEPT) this.#pictures.delete(oldest);
    const reading = this.#read(id)
      .then(
        (picture) => {
          if (this.#pictures.has(id)) this.#pictures.set(id, picture);
        },
        (cause: unknown) =>
          this.#onFault(
            new FaceOffError(
              'background_damaged',
              'The picture of a background cannot be read; the room is blurred. Delete the picture, and add it again.',
              { cause },
            ),
          ),
      )
      .finally(() => this.#reading.delete(id));
    this.#reading.set(id, reading);
  }

  async #read(id: string): Promise<Frame> {
    const file = pictureFile(this.#folder, id);
    if (file === null) throw new Error('a background has an id that cannot be one');
    const { data, info } = await sharp(await readFile(file))
      .removeAlpha()
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    return rgbToFrame(data, info.width, info.height, 3);
  }
}
