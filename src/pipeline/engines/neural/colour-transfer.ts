/**
 * Colour transfer from the live face to the generated one: mean and standard deviation of Y, U and V over the pasted
 * pixels, after Reinhard et al. 2001, in the frame's own colour space.
 */

import type { Layout } from '../../kernels/kernels.ts';
import { type Correction, TO_YUV } from './tensor-layout.ts';

/** Samples along each side. */
const SAMPLES = 48;
/** Limit of the gain: a face half in shadow must not flatten or stretch the other one's contrast. */
const MAX_GAIN = 1.5;
/** Standard deviations below this are noise. */
const MIN_SPREAD = 1;

/** A picture whose colours are compared. */
export interface Coloured {
  values: Float32Array;
  /** Strides in bytes, as the kernels take them. */
  layout: Layout;
  /** Pixels along a side. */
  n: number;
  /** Colour 0..1 = value · std + mean, for R, G, B. */
  mean: readonly [number, number, number];
  std: readonly [number, number, number];
}

/**
 * The correction that brings the generated picture's colours to the live ones.
 * @param opacity [n, n] of the live crop, 0..255: the weight of each pixel.
 * @param share 0..1: 1 matches mean and deviation, 0 changes nothing.
 */
export function matchColour(live: Coloured, made: Coloured, opacity: Uint8Array, share: number): Correction {
  const [to, from] = [statistics(live, opacity, live.n), statistics(made, opacity, live.n)];
  const gain: [number, number, number] = [1, 1, 1];
  const offset: [number, number, number] = [0, 0, 0];
  for (let k = 0; k < 3; k++) {
    const ratio = Math.max(MIN_SPREAD, to.spread[k]!) / Math.max(MIN_SPREAD, from.spread[k]!);
    gain[k] = 1 + share * (Math.min(MAX_GAIN, Math.max(1 / MAX_GAIN, ratio)) - 1);
    // Scales about the generated picture's own mean, so that mean and deviation both move by that share.
    offset[k] = (1 - gain[k]!) * from.mean[k]! + share * (to.mean[k]! - from.mean[k]!);
  }
  return { gain, offset };
}

interface Statistics {
  mean: [number, number, number];
  spread: [number, number, number];
}

function statistics({ values, layout, n, mean, std }: Coloured, opacity: Uint8Array, side: number): Statistics {
  const [pixel, red, green, blue] = [layout.pixel / 4, layout.r / 4, layout.g / 4, layout.b / 4];
  const [fromR, fromG, fromB, base] = TO_YUV;
  const sums: Statistics['mean'] = [0, 0, 0];
  const squares: Statistics['mean'] = [0, 0, 0];
  let weight = 0;
  for (let j = 0; j < SAMPLES; j++) {
    const v = (j + 0.5) / SAMPLES;
    const [row, shownRow] = [Math.floor(v * n) * n, Math.floor(v * side) * side];
    for (let i = 0; i < SAMPLES; i++) {
      const u = (i + 0.5) / SAMPLES;
      const w = opacity[shownRow + Math.floor(u * side)]!;
      if (w === 0) continue;
      const at = (row + Math.floor(u * n)) * pixel;
      const r = values[at + red]! * std[0] + mean[0];
      const g = values[at + green]! * std[1] + mean[1];
      const b = values[at + blue]! * std[2] + mean[2];
      weight += w;
      for (let k = 0; k < 3; k++) {
        const yuv = base[k]! + r * fromR[k]! + g * fromG[k]! + b * fromB[k]!;
        sums[k]! += w * yuv;
        squares[k]! += w * yuv * yuv;
      }
    }
  }
  const total = Math.max(1, weight);
  const means = sums.map((sum) => sum / total) as Statistics['mean'];
  const spread = squares.map((sum, k) => Math.sqrt(Math.max(0, sum / total - means[k]! ** 2))) as Statistics['spread'];
  return { mean: means, spread };
}
