/** Fits a picture to frames of another size. */

import { planesOf } from '../../shared/i420.ts';
import type { Frame } from '../../shared/types.ts';

/** The size of frames, in pixels. */
interface Size {
  width: number;
  height: number;
}

/** The part of a plane that is shown, in its pixels. */
interface Part extends Size {
  left: number;
  top: number;
}

/**
 * An I420 picture that covers a size: scaled to it, and cut at two opposite sides where the shapes differ. Takes some
 * milliseconds.
 */
export function fitPicture({ width, height, data }: Frame, size: Size): Uint8Array {
  const from = planesOf({ width, height });
  const to = planesOf(size);
  const out = new Uint8Array(to.bytes);
  const scale = Math.min(width / size.width, height / size.height);
  const [partWidth, partHeight] = [size.width * scale, size.height * scale];
  const part = { left: (width - partWidth) / 2, top: (height - partHeight) / 2, width: partWidth, height: partHeight };
  const half = { left: part.left / 2, top: part.top / 2, width: part.width / 2, height: part.height / 2 };
  const chroma = { width: from.chromaWidth, height: from.chromaHeight };
  const small = { width: to.chromaWidth, height: to.chromaHeight };
  resample({ plane: data, at: 0, width, height }, part, out.subarray(0, to.u), size);
  resample({ plane: data, at: from.u, ...chroma }, half, out.subarray(to.u, to.v), small);
  resample({ plane: data, at: from.v, ...chroma }, half, out.subarray(to.v), small);
  return out;
}

interface Plane extends Size {
  plane: Uint8Array;
  /** Index of its first pixel. */
  at: number;
}

/** Each pixel is the mean of those it covers, or linear between them where the picture is enlarged. */
function resample({ plane, at, width, height }: Plane, part: Part, out: Uint8Array, size: Size): void {
  const across = taps(part.left, part.width / size.width, size.width, width);
  const down = taps(part.top, part.height / size.height, size.height, height);
  const row = new Float32Array(width);
  for (let y = 0, to = 0; y < size.height; y++) {
    row.fill(0);
    const { first, weights } = down[y]!;
    for (let k = 0; k < weights.length; k++)
      for (let x = 0, from = at + (first + k) * width; x < width; x++) row[x]! += weights[k]! * plane[from + x]!;
    for (let x = 0; x < size.width; x++, to++) {
      const tap = across[x]!;
      let sum = 0.5;
      for (let k = 0; k < tap.weights.length; k++) sum += tap.weights[k]! * row[tap.first + k]!;
      out[to] = sum;
    }
  }
}

/** The pixels that each new pixel takes, and how much of each: a triangle as wide as the step, two pixels at least. */
function taps(left: number, step: number, count: number, limit: number): { first: number; weights: number[] }[] {
  const reach = Math.max(1, step);
  return Array.from({ length: count }, (_, i) => {
    const centre = left + (i + 0.5) * step - 0.5;
    const first = Math.max(0, Math.ceil(centre - reach));
    const last = Math.min(limit - 1, Math.floor(centre + reach));
    const weights: number[] = [];
    for (let x = first; x <= last; x++) weights.push(Math.max(0, 1 - Math.abs(x - centre) / reach));
    const sum = weights.reduce((a, b) => a + b, 0);
    if (sum === 0) return { first: Math.min(limit - 1, Math.max(0, Math.round(centre))), weights: [1] };
    return { first, weights: weights.map((weight) => weight / sum) };
  });
}
