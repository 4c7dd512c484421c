/**
 * Neutralises a smile in the source's skin: the folds from the nose past the corners of the mouth, which a person who
 * does not smile does not have. They come back as the live person smiles, as wrinkle maps do in games.
 */

import { EYE_OUTER_LEFT, EYE_OUTER_RIGHT, LIPS_OUTER, POINTS, type Topology } from '../../../face/topology.ts';
import { ATLAS } from './atlas-layout.ts';
import { blurPlane, blurWithin } from './gaussian-blur.ts';
import { forEachPixel } from './rasterise.ts';
import type { Areas } from './skin-segmentation.ts';
import { enlarged, GRID, GRID_STEP, shrink } from './texel-grid.ts';

/** Tuning of the neutralisation of a smile. Hand-tuned. */
export const EXPRESSION_TUNING = {
  /** Width of the mouth over the distance of the outer eye corners at which a smile begins; above 0. */
  atRest: 0.6,
  /** Width of the mouth over that distance in a broad smile; above `atRest`. */
  smiling: 0.72,
  /**
   * Sigma in pixels of the 128×128 grid, above 0: what is softer is the shape of a cheek and stays; so do pores,
   * which the grid does not resolve.
   */
  cheekSigma: 6,
  /** Sigma of the soft edge of the folds' area; pixels of the grid, above 0. */
  edgeSigma: 1,
  /** How much of the fold runs through points of the right half, nose to chin, 0..1; the left half is its mirror. */
  // biome-ignore format: table
  folds: [
    [36, 0.3], [98, 0.4], [203, 1], [205, 0.4], [206, 1], [207, 0.7], [165, 0.5], [92, 1], [216, 1], [186, 1], [212, 1],
    [214, 0.5], [57, 1], [61, 0.7], [40, 0.2], [185, 0.3], [146, 0.3], [91, 0.2], [106, 0.3], [43, 0.7], [202, 0.7],
  ] as readonly (readonly [point: number, share: number])[],
};

/** Values of the neutralisation that an experiment may set anew; see `EXPRESSION_TUNING` for units and ranges. */
export type ExpressionTuning = Readonly<typeof EXPRESSION_TUNING>;

const MOUTH_RIGHT = LIPS_OUTER[0]!;
const MOUTH_LEFT = LIPS_OUTER[LIPS_OUTER.length / 2]!;

/** How broadly a face smiles, 0..1, whichever way it looks. @param points x, y, z of 468 in pixels. */
export function smileOf(points: Float32Array, tuning: ExpressionTuning = EXPRESSION_TUNING): number {
  const width = distance(points, MOUTH_RIGHT, MOUTH_LEFT) / distance(points, EYE_OUTER_RIGHT, EYE_OUTER_LEFT);
  return Math.min(1, Math.max(0, (width - tuning.atRest) / (tuning.smiling - tuning.atRest)));
}

function distance(points: Float32Array, p: number, q: number): number {
  const [x, y] = [points[3 * p]! - points[3 * q]!, points[3 * p + 1]! - points[3 * q + 1]!];
  return Math.hypot(x, y, points[3 * p + 2]! - points[3 * q + 2]!);
}

/**
 * An atlas's luma without the folds of a smile.
 * @param luma [512, 512]. @param folds as `foldShares` returns them.
 */
export function neutraliseExpression(
  luma: Uint8Array,
  { covered, features, holes }: Areas,
  folds: Float32Array,
  tuning: ExpressionTuning = EXPRESSION_TUNING,
): Uint8Array {
  const plain = covered.map((c, p) => (c && !features[p] && !holes[p] ? 1 : 0));
  const small = shrink(luma, ATLAS);
  const cheek = blurWithin(small, plain, GRID, tuning.cheekSigma);
  const share = blurPlane(folds, GRID, tuning.edgeSigma);
  const fold = enlarged(
    small.map((value, p) => share[p]! * (value - cheek[p]!)),
    ATLAS,
  );
  return luma.map((value, p) => Math.round(Math.min(255, Math.max(0, value - fold[p]!))));
}

/**
 * Share of the folds in each pixel of the grid, 0..1.
 * @param at texture coordinates of the points in pixels of the atlas.
 */
export function foldShares(
  { skin, mirror }: Topology,
  at: Float32Array,
  tuning: ExpressionTuning = EXPRESSION_TUNING,
): Float32Array {
  const weight = new Float32Array(POINTS);
  for (const [point, share] of tuning.folds) weight[point] = weight[mirror[point]!] = share;
  const shares = new Float32Array(GRID * GRID);
  const grid = at.map((value) => value / GRID_STEP);
  forEachPixel(skin, grid, GRID, (pixel, [i, j, k], [p, q, r]) => {
    shares[pixel] = p * weight[i]! + q * weight[j]! + r * weight[k]!;
  });
  return shares;
}
