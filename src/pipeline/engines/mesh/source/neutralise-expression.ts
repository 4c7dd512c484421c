/**
 * Takes a smile out of the source's skin: the folds from the nose past the corners of the mouth, which a person who does not
 * smile has not. They come back as the live person smiles, as wrinkle maps do in games.
 */

import { EYE_OUTER_LEFT, EYE_OUTER_RIGHT, LIPS_OUTER, POINTS, type Topology } from '../../../face/topology.ts';
import { ATLAS, forEachPixel, type Planes } from './atlas.ts';
import { blurPlane, blurWithin } from './gaussian-blur.ts';
import { areasOf } from './skin-segmentation.ts';
import { enlarged, GRID, GRID_STEP, shrink } from './texel-grid.ts';

/** Width of the mouth over the distance of the outer eye corners, at rest and in a broad smile. */
const AT_REST = 0.6;
const SMILING = 0.72;
const [MOUTH_RIGHT, MOUTH_LEFT] = [LIPS_OUTER[0]!, LIPS_OUTER[LIPS_OUTER.length / 2]!];
/** How much of the fold runs through points of the right half, nose to chin; the left half is its mirror. */
// biome-ignore format: table
const FOLD: readonly (readonly [number, number])[] = [
  [36, 0.3], [98, 0.4], [203, 1], [205, 0.4], [206, 1], [207, 0.7], [165, 0.5], [92, 1], [216, 1], [186, 1], [212, 1], [214, 0.5],
  [57, 1], [61, 0.7], [40, 0.2], [185, 0.3], [146, 0.3], [91, 0.2], [106, 0.3], [43, 0.7], [202, 0.7],
];
/** What is softer than this, in pixels of the grid, is the shape of a cheek and stays; so do pores, which the grid does not see. */
const CHEEK = 6;
/** Softness of the area's edge. */
const EDGE = 1;

/** How broadly a face smiles, 0..1, whichever way it looks. @param points x, y, z of 468 in pixels. */
export function smileOf(points: Float32Array): number {
  const width = apart(points, MOUTH_RIGHT, MOUTH_LEFT) / apart(points, EYE_OUTER_RIGHT, EYE_OUTER_LEFT);
  return Math.min(1, Math.max(0, (width - AT_REST) / (SMILING - AT_REST)));
}

function apart(points: Float32Array, p: number, q: number): number {
  const [x, y] = [points[3 * p]! - points[3 * q]!, points[3 * p + 1]! - points[3 * q + 1]!];
  return Math.hypot(x, y, points[3 * p + 2]! - points[3 * q + 2]!);
}

/** An atlas's luma without its folds. @param at texture coordinates of the points in pixels of the atlas. */
export function neutraliseExpression({ y }: Planes, at: Float32Array, topology: Topology): Uint8Array {
  const { covered, features, holes } = areasOf(topology, at);
  const plain = covered.map((c, p) => (c && !features[p] && !holes[p] ? 1 : 0));
  const luma = shrink(y, ATLAS);
  const cheek = blurWithin(luma, plain, GRID, CHEEK);
  const share = blurPlane(foldAreas(at, topology), GRID, EDGE);
  const fold = enlarged(
    luma.map((value, p) => share[p]! * (value - cheek[p]!)),
    ATLAS,
  );
  return y.map((value, p) => Math.round(Math.min(255, Math.max(0, value - fold[p]!))));
}

/** Share of the folds in each pixel of the grid, 0..1. */
function foldAreas(at: Float32Array, { skin, mirror }: Topology): Float32Array {
  const weight = new Float32Array(POINTS);
  for (const [point, share] of FOLD) weight[point] = weight[mirror[point]!] = share;
  const areas = new Float32Array(GRID * GRID);
  const grid = at.map((value) => value / GRID_STEP);
  forEachPixel(skin, grid, GRID, (pixel, i, j, k, p, q, r) => {
    areas[pixel] = p * weight[i]! + q * weight[j]! + r * weight[k]!;
  });
  return areas;
}
