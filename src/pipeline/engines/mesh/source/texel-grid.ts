/** The source's skin is analysed on a grid of a quarter of the atlas: planes of GRID × GRID, row by row. */

import { ATLAS } from './atlas-layout.ts';

/** Pixels of the atlas along a side of a pixel of the grid. */
export const GRID_STEP = 4;

/** Side of the grid in pixels: 128. */
export const GRID = ATLAS / GRID_STEP;

/** A plane of `size` pixels a side, a multiple of GRID, on the grid: each pixel the mean of those it covers. */
export function shrink(plane: Uint8Array, size: number): Float32Array {
  const step = size / GRID;
  return Float32Array.from({ length: GRID * GRID }, (_, p) => {
    const first = Math.floor(p / GRID) * step * size + (p % GRID) * step;
    let sum = 0;
    for (let row = 0; row < step; row++) for (let i = 0; i < step; i++) sum += plane[first + row * size + i]!;
    return sum / (step * step);
  });
}

/** A plane of the grid at `size` pixels a side, bilinear. */
export function enlarged(grid: Float32Array, size: number): Float32Array {
  const step = size / GRID;
  const place = (i: number): [number, number] => {
    const at = Math.min(GRID - 1, Math.max(0, (i + 0.5) / step - 0.5));
    const low = Math.min(GRID - 2, Math.floor(at));
    return [low, at - low];
  };
  const places = Array.from({ length: size }, (_, i) => place(i));
  return Float32Array.from({ length: size * size }, (_, p) => {
    const [[x, fx], [y, fy]] = [places[p % size]!, places[Math.floor(p / size)]!];
    const q = y * GRID + x;
    const upper = grid[q]! + fx * (grid[q + 1]! - grid[q]!);
    const lower = grid[q + GRID]! + fx * (grid[q + GRID + 1]! - grid[q + GRID]!);
    return upper + fy * (lower - upper);
  });
}
