/**
 * Draws a generated face's colours to those of the live one: mean and spread of Y, U and V over what is pasted, after
 * Reinhard et al. 2001 in the space the picture is in anyway.
 */

import type { Layout } from '../../kernels/kernels.ts';
import { type Correction, TO_YUV } from './tensor-layout.ts';

/** About so many places along each side are looked at. */
const PLACES = 48;
/** A spread is not changed by more: a face half in shadow is no reason to flatten or to tear the other. */
const MOST_GAIN = 1.5;
/** Spreads below this are noise. */
const LEAST_SPREAD = 1;

export interface Coloured {
  values: Float32Array;
  /** In bytes, as the kernels take it. */
  layout: Layout;
  /** Pixels along a side. */
  n: number;
  mean: readonly [number, number, number];
  std: readonly [number, number, number];
}

/** @param opacity [n, n] of the live crop: what is not pasted does not count. @param share 0..1, how far to go. */
export function matchColour(live: Coloured, made: Coloured, opacity: Uint8Array, share: number): Correction {
  const [to, from] = [statistics(live, opacity, live.n), statistics(made, opacity, live.n)];
  const gain: [number, number, number] = [1, 1, 1];
  const offset: [number, number, number] = [0, 0, 0];
  for (let k = 0; k < 3; k++) {
    const ratio = Math.max(LEAST_SPREAD, to.spread[k]!) / Math.max(LEAST_SPREAD, from.spread[k]!);
    gain[k] = 1 + share * (Math.min(MOST_GAIN, Math.max(1 / MOST_GAIN, ratio)) - 1);
    // About the made picture's own mean, so that a share of the way moves both mean and spread by that share.
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
  for (let j = 0; j < PLACES; j++) {
    const v = (j + 0.5) / PLACES;
    const [row, shownRow] = [Math.floor(v * n) * n, Math.floor(v * side) * side];
    for (let i = 0; i < PLACES; i++) {
      const u = (i + 0.5) / PLACES;
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
