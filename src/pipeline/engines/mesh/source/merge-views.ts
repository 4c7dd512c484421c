/**
 * Merges photos of one person, and their mirror images, into one atlas. Each was taken in another light, and so was the
 * other half of a face: before a view is merged, its light is made that of what has been merged, as far as both are
 * seen; what is then left of the light is one light. Runs at enrolment only.
 */

import { ATLAS, BLACK, GREY, type Planes } from './atlas-layout.ts';
import { blurPlane } from './gaussian-blur.ts';
import { enlarged, GRID, shrink } from './texel-grid.ts';

/** Tuning of how the light of views is matched. Hand-tuned by eye. */
export const MERGE_TUNING = {
  /** Sigma of the difference in light between two views, in pixels of the 128×128 grid; above 0. */
  sigma: 4,
  /** Sigma where little of both views is seen nearby; above `sigma`. */
  farSigma: 14,
  /** Weight of what is further away, against 1 where both views are seen squarely; above 0. */
  farWeight: 0.02,
  /** Bound of the difference in luma, natural log, either way. */
  lumaMost: 1.5,
  /** Bound of the difference in U and V, in steps of 1/255, either way. */
  chromaMost: 25,
};

/** Values of the merging that an experiment may set anew; see `MERGE_TUNING` for units and ranges. */
export type MergeTuning = Readonly<typeof MERGE_TUNING>;

/** A photo, or its mirror image, painted in the layout of the atlas. */
export interface PaintedView {
  planes: Planes;
  /** How much each texel of luma, and of chroma, is to count: 0 or more. */
  weight: Float32Array;
  chromaWeight: Float32Array;
  /** How squarely each pixel of the grid was seen, 0..1; 0 where it was not. */
  visibility: Float32Array;
}

/** The merged planes, and how much was known of each texel. */
export interface MergedViews {
  planes: Planes;
  weight: Float32Array;
  chromaWeight: Float32Array;
}

/** Added to luma before the logarithm, so that noise in the dark is not light. */
const FLOOR = 8;

const logOf = (luma: number): number => Math.log(Math.max(0, luma - BLACK) + FLOOR);
const clampByte = (value: number): number => Math.min(255, Math.max(0, Math.round(value)));

/** Merges views, the best one first: its light is the one that the others are given. */
export function mergeViews([first, ...others]: PaintedView[], tuning: MergeTuning = MERGE_TUNING): MergedViews {
  if (first === undefined) throw new RangeError('There is no view to merge.');
  const merged = { ...first };
  for (const view of others) {
    matchLight(view, merged, tuning);
    merged.planes = {
      y: mean(merged.planes.y, merged.weight, view.planes.y, view.weight),
      u: mean(merged.planes.u, merged.chromaWeight, view.planes.u, view.chromaWeight),
      v: mean(merged.planes.v, merged.chromaWeight, view.planes.v, view.chromaWeight),
    };
    merged.weight = merged.weight.map((w, p) => w + view.weight[p]!);
    merged.chromaWeight = merged.chromaWeight.map((w, p) => w + view.chromaWeight[p]!);
    merged.visibility = merged.visibility.map((seen, p) => Math.max(seen, view.visibility[p]!));
  }
  return merged;
}

function mean(a: Uint8Array, weightA: Float32Array, b: Uint8Array, weightB: Float32Array): Uint8Array {
  return a.map((value, p) => {
    const total = weightA[p]! + weightB[p]!;
    return total === 0 ? GREY : Math.round((value * weightA[p]! + b[p]! * weightB[p]!) / total);
  });
}

/** Gives a view the light of what has been merged, in place. */
function matchLight(view: PaintedView, merged: PaintedView, tuning: MergeTuning): void {
  const seen = view.visibility.map((value, p) => Math.min(value, merged.visibility[p]!) ** 2);
  const { lumaMost, chromaMost } = tuning;
  const [from, to] = [shrink(view.planes.y, ATLAS), shrink(merged.planes.y, ATLAS)];
  const gain = enlarged(
    smoothed(
      from.map((value, p) => logOf(to[p]!) - logOf(value)),
      seen,
      tuning,
    ).map((log) => Math.exp(Math.min(lumaMost, Math.max(-lumaMost, log)))),
    ATLAS,
  );
  const y = view.planes.y.map((value, p) => clampByte((value - BLACK + FLOOR) * gain[p]! + BLACK - FLOOR));
  const chroma = (plane: 'u' | 'v'): Uint8Array => {
    const [own, wanted] = [shrink(view.planes[plane], ATLAS / 2), shrink(merged.planes[plane], ATLAS / 2)];
    const offset = smoothed(
      own.map((value, p) => wanted[p]! - value),
      seen,
      tuning,
    );
    const large = enlarged(
      offset.map((value) => Math.min(chromaMost, Math.max(-chromaMost, value))),
      ATLAS / 2,
    );
    return view.planes[plane].map((value, p) => clampByte(value + large[p]!));
  };
  view.planes = { y, u: chroma('u'), v: chroma('v') };
}

/** A difference between two views where both are seen, made smooth and carried on to where they are not. */
function smoothed(difference: Float32Array, seen: Float32Array, tuning: MergeTuning): Float32Array {
  const { sigma, farSigma, farWeight } = tuning;
  const weighted = difference.map((value, p) => value * seen[p]!);
  const total = seen.reduce((a, b) => a + b, 0);
  const everywhere = total === 0 ? 0 : weighted.reduce((a, b) => a + b, 0) / total;
  let field = new Float32Array(GRID * GRID).fill(everywhere);
  for (const reach of [farSigma, sigma]) {
    const [sum, weight] = [blurPlane(weighted, GRID, reach), blurPlane(seen, GRID, reach)];
    field = field.map((value, p) => (sum[p]! + farWeight * value) / (weight[p]! + farWeight));
  }
  return field;
}
