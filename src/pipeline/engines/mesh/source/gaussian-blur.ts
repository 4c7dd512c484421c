/** Gaussian blur of square planes, separable, cut off at 2.5 sigma. Runs at enrolment only. */

import type { Planes } from './atlas-layout.ts';

/**
 * A picture of `size` luma pixels a side, blurred.
 * @param sigma in luma pixels; chroma is blurred by half as many of its own.
 */
export function blurred({ y, u, v }: Planes, size: number, sigma: number): Planes {
  return {
    y: blurredPlane(y, size, sigma),
    u: blurredPlane(u, size / 2, sigma / 2),
    v: blurredPlane(v, size / 2, sigma / 2),
  };
}

/** One plane of bytes, blurred and rounded. @param sigma in pixels of the plane. */
export const blurredPlane = (plane: Uint8Array, size: number, sigma: number): Uint8Array =>
  Uint8Array.from(blurPlane(plane, size, sigma), Math.round);

/**
 * Normalised blur: weighted mean around each pixel of those in the mask (0 or 1) alone; 0 where none of the mask is
 * near.
 */
export function blurWithin(plane: Float32Array, mask: Uint8Array, size: number, sigma: number): Float32Array {
  const weight = blurPlane(mask, size, sigma);
  const sum = blurPlane(
    plane.map((value, p) => value * mask[p]!),
    size,
    sigma,
  );
  return sum.map((value, p) => value / (weight[p]! || 1));
}

/** One plane of `size` pixels a side, blurred, edges replicated. @param sigma in pixels of the plane. */
export function blurPlane(plane: ArrayLike<number>, size: number, sigma: number): Float32Array {
  const radius = Math.max(1, Math.ceil(2.5 * sigma));
  const weights = Array.from({ length: 2 * radius + 1 }, (_, k) =>
    Math.exp(-((k - radius) ** 2) / (2 * sigma * sigma)),
  );
  const total = weights.reduce((a, b) => a + b, 0);
  const along = (from: ArrayLike<number>, step: number, across: number): Float32Array => {
    const out = new Float32Array(size * size);
    for (let line = 0; line < size; line++) {
      for (let i = 0; i < size; i++) {
        let sum = 0;
        for (let k = -radius; k <= radius; k++) {
          const at = Math.min(size - 1, Math.max(0, i + k));
          sum += weights[k + radius]! * from[line * across + at * step]!;
        }
        out[line * across + i * step] = sum / total;
      }
    }
    return out;
  };
  return along(along(plane, 1, size), size, 1);
}
