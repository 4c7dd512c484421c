/** The mark as pixels: what is added to luma. */

import { TILE } from './chips.ts';

/** Cells along the longer side of a video's frame: they survive low bit rates. */
const CELLS_ACROSS = 80;
/** The same of a still picture, of which there is only one to find them in. */
export const STILL_CELLS_ACROSS = 120;
/** Side of a cell, in pixels: least, and most. */
const CELL_LEAST = 4;
const CELL_MOST = 24;
/** Largest change of luma, in levels, for each strength: from a plain wall to dense texture. */
export const STRENGTHS = [0.45, 0.9, 1.7, 2.4] as const;
/** The part of a cell over which its sign turns into its neighbour's. */
const TRANSITION = 0.8;

/** Side of a cell in a picture of that size, in pixels. @param across cells along its longer side. */
export const cellSide = (width: number, height: number, across = CELLS_ACROSS): number =>
  Math.min(CELL_MOST, Math.max(CELL_LEAST, Math.round(Math.max(width, height) / across)));

/** How far the sign at a place between two cells' middles is the second's, 0..1. @param f 0 at the first, 1 at the second. */
function turned(f: number): number {
  const t = Math.min(1, Math.max(0, (f - 0.5) / TRANSITION + 0.5));
  return t * t * (3 - 2 * t);
}

/** A threshold for rounding, 0..1, without structure that is seen (interleaved gradient noise, Jimenez 2014). */
function dither(x: number, y: number): number {
  const fraction = (value: number): number => value - Math.floor(value);
  return fraction(52.9829189 * fraction(0.06711056 * x + 0.00583715 * y));
}

/**
 * Draws a tile for each of STRENGTHS, one behind the other: what is added to each pixel, in levels, row by row.
 * Fractions of a level are dithered. @param chips 1 or -1 for each cell. @param cell side of a cell, in pixels.
 */
export function drawTiles(chips: Int8Array, cell: number): Int8Array {
  const side = TILE * cell;
  const out = new Int8Array(STRENGTHS.length * side * side);
  const places = Array.from({ length: side }, (_, x) => {
    const middle = (x + 0.5) / cell - 0.5 + TILE;
    const first = Math.floor(middle);
    return { a: first % TILE, b: (first + 1) % TILE, share: turned(middle - first) };
  });
  for (const [y, row] of places.entries()) {
    for (const [x, column] of places.entries()) {
      const at = (r: number): number =>
        chips[r * TILE + column.a]! * (1 - column.share) + chips[r * TILE + column.b]! * column.share;
      const value = at(row.a) * (1 - row.share) + at(row.b) * row.share;
      const threshold = dither(x, y);
      for (const [k, strength] of STRENGTHS.entries())
        out[(k * side + y) * side + x] = Math.floor(strength * value + threshold);
    }
  }
  return out;
}
