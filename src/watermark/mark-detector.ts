/** Looks for the mark in pictures of one clip, or in one picture. */

import { type MessageLayout, messageValues } from './chips.ts';
import { readMessage } from './message.ts';
import { type GrayPicture, residual, shrinkGray } from './residual.ts';
import { type FoundTile, TileSearch } from './tile-search.ts';

/** Longer side that pictures are shrunk to, at least, in pixels. */
const LEAST_SIDE = 600;
/** Pictures are searched at full size, half and quarter, each for cells of this size and up to twice that, in pixels. */
const LEVELS = 3;
const CELL_LEAST = 3;
/** Deviation that is added where a residual's own residual is taken. */
const SECOND_DEVIATION = 0.05;
/** Ratio of a cell's size to the next one that is tried: over 80 cells, half of it moves the last one by 0.4 of a cell. */
const CELL_RATIO = 1.01;

/**
 * From this score on a picture is marked. Of the hypotheses of a search, 3 levels x 70 sizes x 16,384 offsets x 2
 * mirror images, which depend on each other, none reaches it by chance but once in a million searches, if the correlation
 * is normal.
 */
export const LEAST_SCORE = 7.2;

/** What a detector found. */
export interface MarkFinding {
  isMarked: boolean;
  /** How far the best correlation stands out, in deviations. */
  score: number;
  /** The 32 bits of the message; null where no key was given, the key does not fit, or they cannot be read. */
  message: number | null;
  /** Pictures that were looked at. */
  pictures: number;
  /** Size of a cell in the pictures, in pixels; how far it is from the usual says how the picture was scaled or cut. */
  cell: number;
  isMirrored: boolean;
}

/** Collects pictures of one size, then searches what they have in common. */
export class MarkDetector {
  readonly #layout: MessageLayout | null;
  readonly #search = new TileSearch();
  #levels: GrayPicture[] = [];
  #factor = 1;
  #pictures = 0;

  /** @param layout of the key, for the message; null looks for the mark alone. */
  constructor(layout: MessageLayout | null = null) {
    this.#layout = layout;
  }

  /** How many pictures were added. */
  get pictures(): number {
    return this.#pictures;
  }

  /** Adds a picture's luma, 0..255. @throws RangeError where it has another size than those before. */
  add(picture: GrayPicture): void {
    const { width, height } = picture;
    const factor = Math.max(1, Math.floor(Math.max(width, height) / LEAST_SIDE));
    let level = factor === 1 ? picture : shrinkGray(picture, factor);
    for (let k = 0; k < LEVELS; k++) {
      if (k > 0) level = shrinkGray(level, 2);
      const { values, ...size } = residual(residual(level), SECOND_DEVIATION);
      const sum = this.#levels[k];
      if (sum === undefined) this.#levels.push({ ...size, values });
      else if (sum.width !== size.width || sum.height !== size.height)
        throw new RangeError('The pictures of a clip have one size.');
      else for (let i = 0; i < values.length; i++) sum.values[i]! += values[i]!;
    }
    this.#factor = factor;
    this.#pictures++;
  }

  /** Searches the pictures that were added. Takes some tenths of a second. */
  result(): MarkFinding {
    const pictures = this.#pictures;
    let best: (FoundTile & { level: number; picture: GrayPicture }) | null = null;
    for (const [level, sum] of this.#levels.entries()) {
      // What moved is weaker after the sum, so that what stayed would count more.
      const picture =
        pictures === 1 ? sum : residual({ ...sum, values: sum.values.map((v) => v / pictures) }, SECOND_DEVIATION);
      for (let cell = CELL_LEAST; cell < 2 * CELL_LEAST; cell *= CELL_RATIO) {
        const found = this.#search.at(picture, cell);
        if (best === null || found.score > best.score) best = { ...found, level, picture };
      }
    }
    if (best === null) return { isMarked: false, score: 0, message: null, pictures, cell: 0, isMirrored: false };
    const { score, level, picture } = best;
    const isMarked = score >= LEAST_SCORE;
    const place = this.#search.refine(picture, best);
    const isRead = isMarked && this.#layout !== null;
    return {
      isMarked,
      score,
      message: isRead ? readMessage(messageValues(this.#search.cells(picture, place), this.#layout!)) : null,
      pictures,
      cell: ((place.cellX + place.cellY) / 2) * this.#factor * 2 ** level,
      isMirrored: place.isMirrored,
    };
  }
}
