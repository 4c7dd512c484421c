/** The `blur` fallback: a mosaic of the whole frame. */

import { planesOf } from '../../shared/i420.ts';
import type { Frame } from '../../shared/types.ts';

/** Side of a tile as a share of the frame's shorter side: no face can be recognised in tiles of that size. */
const TILE_SHARE = 1 / 24;

/** Replaces every tile of a frame by its mean, in place. */
export function pixelate({ width, height, data }: Frame): void {
  const { chromaWidth, chromaHeight, u, v } = planesOf({ width, height });
  const side = Math.max(4, Math.round(Math.min(width, height) * TILE_SHARE));
  pixelatePlane(data.subarray(0, u), width, height, side);
  pixelatePlane(data.subarray(u, v), chromaWidth, chromaHeight, side >> 1);
  pixelatePlane(data.subarray(v), chromaWidth, chromaHeight, side >> 1);
}

function pixelatePlane(plane: Uint8Array, width: number, height: number, side: number): void {
  for (let top = 0; top < height; top += side) {
    const bottom = Math.min(height, top + side);
    for (let left = 0; left < width; left += side) {
      const right = Math.min(width, left + side);
      let sum = 0;
      for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) sum += plane[y * width + x]!;
      const mean = sum / ((bottom - top) * (right - left));
      for (let y = top; y < bottom; y++) plane.fill(mean, y * width + left, y * width + right);
    }
  }
}
