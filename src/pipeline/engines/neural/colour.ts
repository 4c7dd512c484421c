/**
 * Draws a generated face's colours to those of the live one: mean and spread of Y, U and V over what is pasted, after
 * Reinhard et al. 2001 in the space the picture is in anyway.
 */

import type { Layout } from '../../kernels/kernels.ts';
import { type Correction, TO_YUV } from './form.ts';

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
  const sums = [0, 0, 0];
  const squares = [0, 0, 0];
  let weight = 0;
  const [pixel, ...channels] = [layout.pixel, layout.r, layout.g, layout.b].map((bytes) => bytes / 4) as [
    ...[number, number, number, number],
  ];
  for (let j = 0; j < PLACES; j++) {
    for (let i = 0; i < PLACES; i++) {
      const [u, v] = [(i + 0.5) / PLACES, (j + 0.5) / PLACES];
      const at = (Math.floor(v * n) * n + Math.floor(u * n)) * pixel;
      const w = opacity[Math.floor(v * side) * side + Math.floor(u * side)]!;
      if (w === 0) continue;
      const rgb = channels.map((channel, c) => values[at + channel]! * std[c]! + mean[c]!);
      weight += w;
      for (let k = 0; k < 3; k++) {
        const yuv = TO_YUV[3][k]! + rgb[0]! * TO_YUV[0][k]! + rgb[1]! * TO_YUV[1][k]! + rgb[2]! * TO_YUV[2][k]!;
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
