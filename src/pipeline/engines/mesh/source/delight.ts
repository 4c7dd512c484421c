/**
 * De-lights and inpaints the source's skin. Hair, hard shadow, glare and collar belong to the photo, not to the face:
 * what is no skin is filled from the skin around it without a seam, and light that falls from one side is evened out.
 */

import { ATLAS, BLACK, GREY, type Planes } from './atlas-layout.ts';
import { blurPlane, blurWithin } from './gaussian-blur.ts';
import type { Areas, SkinOutliers } from './skin-segmentation.ts';
import { enlarged, GRID, GRID_STEP, shrink } from './texel-grid.ts';

/**
 * Tuning of the de-lighting. Lengths are in pixels of the 128×128 grid. Hand-tuned, unless a field says what set it.
 */
export const DELIGHT_TUNING = {
  /** Pixels by which outliers are enlarged, 0 or more: hair has soft edges. */
  margin: 2,
  /** Sigma of the fill's soft edge; pixels, above 0. */
  feather: 1.5,
  /** Sigma over which the skin at the fill's edge is averaged; pixels, above 0. */
  edgeSkin: 1.5,
  /** Gauss-Seidel passes of the membrane, 0 or more; the start from pull-push is close already. */
  membranePasses: 60,
  /**
   * Share by which the fill is darker far from visible skin, 0..1: what hair hides mostly faces away from the light.
   */
  shade: 0.3,
  /** Sigma of "far from visible skin"; pixels, above 0. */
  shadeSigma: 5,
  /**
   * Sigma over which the photo is averaged to decide whether it was darker than the fill at all; pixels, above 0. A
   * single bright strand of hair must not decide it. Set with fringes, which left a band over the brows.
   */
  strandSigma: 3,
  /** Colour of skin in white light: U off grey in shares of luma above black. */
  neutralU: -0.12,
  /** Colour of skin in white light: V off grey in shares of luma above black. */
  neutralV: 0.13,
  /**
   * Share of the photo's colour cast that is taken off, 0..1: at 1 lips and lids of a very warm photo turn purple.
   */
  castRemoved: 0.5,
  /** Sigma above which light is soft enough to be compared between the halves of the face; pixels, above 0. */
  sideLightSigma: 7,
  /**
   * Share of the difference between the halves that is taken out, 0..1: faces are not quite even, and a little light
   * is lively.
   */
  sideLightRemoved: 0.8,
};

/** Values of the de-lighting that an experiment may set anew; see `DELIGHT_TUNING` for units and ranges. */
export type DelightTuning = Readonly<typeof DELIGHT_TUNING>;

/**
 * De-lights an atlas in place.
 * @param areas as `areasOf` returns them. @param skin as `findOutliers` returns it for these planes.
 */
export function delight(
  planes: Planes,
  areas: Areas,
  skin: SkinOutliers,
  tuning: DelightTuning = DELIGHT_TUNING,
): void {
  const { covered, holes, features, brows } = areas;
  const isKept = covered.map((c, p) => ((c && !skin.outliers[p]) || holes[p] ? 1 : 0));
  const keep = eroded(isKept, areas, tuning.margin);
  const plain = keep.map((k, p) => (k && !holes[p] && !features[p] && !brows[p] ? 1 : 0));
  const opacity = blurPlane(
    keep.map((k) => 1 - k),
    GRID,
    tuning.feather,
  );
  const luma = shrink(planes.y, ATLAS);
  blend(planes.y, ATLAS, shaded(filled(luma, plain, tuning), luma, keep, tuning), opacity);
  for (const plane of [planes.u, planes.v])
    blend(plane, ATLAS / 2, filled(shrink(plane, ATLAS / 2), plain, tuning), opacity);
  evenSides(planes.y, covered, tuning);
  removeCast(planes, skin.colour, tuning);
}

/** The mask without a margin of so many pixels at its edge; features stay whole. */
function eroded(mask: Uint8Array, { features, holes }: Areas, margin: number): Uint8Array {
  let out = mask;
  for (let step = 0; step < margin; step++) {
    out = out.map((m, p) =>
      m && (features[p] || holes[p] || (out[p - 1] && out[p + 1] && out[p - GRID] && out[p + GRID])) ? 1 : 0,
    );
  }
  return out;
}

/**
 * Extends the kept pixels into all the rest by a membrane (Laplace's equation), solved by Gauss-Seidel from a
 * pull-push start, so that it also spans a whole forehead.
 */
function filled(plane: Float32Array, keep: Uint8Array, tuning: DelightTuning): Float32Array {
  const near = blurWithin(plane, keep, GRID, tuning.edgeSkin);
  const out = near.map((value, p) => (keep[p] ? value : 0));
  pullPush(out, Float32Array.from(keep), GRID);
  for (let pass = 0; pass < tuning.membranePasses; pass++) {
    for (let p = 0; p < out.length; p++) {
      if (keep[p]) continue;
      const [x, y] = [p % GRID, Math.floor(p / GRID)];
      const left = out[x > 0 ? p - 1 : p]!;
      const right = out[x < GRID - 1 ? p + 1 : p]!;
      const up = out[y > 0 ? p - GRID : p]!;
      const down = out[y < GRID - 1 ? p + GRID : p]!;
      out[p] = (left + right + up + down) / 4;
    }
  }
  return out;
}

/** The fill, darker the further it lies from kept pixels, but not darker than the photo was there. */
function shaded(fill: Float32Array, photo: Float32Array, keep: Uint8Array, tuning: DelightTuning): Float32Array {
  const near = blurPlane(keep, GRID, tuning.shadeSigma);
  const dark = blurPlane(photo, GRID, tuning.strandSigma);
  return fill.map((value, p) => {
    const shade = keep[p] ? 0 : tuning.shade * Math.max(0, 1 - 2 * near[p]!);
    return Math.max(BLACK + (value - BLACK) * (1 - shade), Math.min(value, dark[p]!));
  });
}

/**
 * Pull-push (Gortler and others, The Lumigraph, 1996): fills where `weight` is 0 from means over growing squares, in
 * place.
 */
function pullPush(plane: Float32Array, weight: Float32Array, size: number): void {
  if (size === 1) return;
  const half = size / 2;
  const coarse = new Float32Array(half * half);
  const sums = new Float32Array(half * half);
  const parent = (p: number): number => Math.floor(Math.floor(p / size) / 2) * half + ((p % size) >> 1);
  for (let p = 0; p < plane.length; p++) {
    coarse[parent(p)]! += weight[p]! * plane[p]!;
    sums[parent(p)]! += weight[p]!;
  }
  for (let c = 0; c < coarse.length; c++) if (sums[c]! > 0) coarse[c]! /= sums[c]!;
  pullPush(
    coarse,
    sums.map((sum) => Math.min(1, sum)),
    half,
  );
  for (let p = 0; p < plane.length; p++) plane[p] = weight[p]! * plane[p]! + (1 - weight[p]!) * coarse[parent(p)]!;
}

/** Blends the grid's `fill` over a plane of `size` pixels a side. */
function blend(plane: Uint8Array, size: number, fill: Float32Array, opacity: Float32Array): void {
  const [value, share] = [enlarged(fill, size), enlarged(opacity, size)];
  for (let p = 0; p < plane.length; p++) plane[p] = Math.round(plane[p]! + share[p]! * (value[p]! - plane[p]!));
}

/** Takes out light that falls on one half of the face only and is too soft to be a feature. */
function evenSides(luma: Uint8Array, covered: Uint8Array, tuning: DelightTuning): void {
  const small = shrink(luma, ATLAS);
  const soft = blurWithin(small, covered, GRID, tuning.sideLightSigma);
  for (let p = 0; p < luma.length; p++) {
    const from = Math.floor(Math.floor(p / ATLAS) / GRID_STEP) * GRID + Math.floor((p % ATLAS) / GRID_STEP);
    const mirrored = from - (from % GRID) + GRID - 1 - (from % GRID);
    if (!covered[from] || !covered[mirrored]) continue;
    const uneven = (soft[from]! - soft[mirrored]!) / 2;
    luma[p] = Math.round(Math.min(255, Math.max(0, luma[p]! - tuning.sideLightRemoved * uneven)));
  }
}

/**
 * Takes part of the photo's colour cast, as found on the skin, off in proportion to luma: taken off evenly it would
 * leave dark brows and lids with the opposite tint. Pixels with less of the cast (whites, reflections of lamps) lose
 * less.
 * @param skin the skin's usual U and V off grey, in shares of luma above black.
 */
function removeCast({ y, u, v }: Planes, skin: readonly [number, number], tuning: DelightTuning): void {
  const { neutralU, neutralV, castRemoved } = tuning;
  const half = ATLAS / 2;
  const [tu, tv] = [skin[0] - neutralU, skin[1] - neutralV];
  const strength = tu * tu + tv * tv || 1;
  for (let p = 0; p < u.length; p++) {
    const i = 2 * Math.floor(p / half) * ATLAS + 2 * (p % half);
    const luma = Math.max(1, (y[i]! + y[i + 1]! + y[i + ATLAS]! + y[i + ATLAS + 1]!) / 4 - BLACK);
    const [du, dv] = [(u[p]! - GREY) / luma - neutralU, (v[p]! - GREY) / luma - neutralV];
    const share = castRemoved * Math.min(1, Math.max(0, (du * tu + dv * tv) / strength));
    u[p] = Math.round(u[p]! - share * tu * luma);
    v[p] = Math.round(v[p]! - share * tv * luma);
  }
}
