/**
 * Takes hair, hard shadow, glare and collar off the source's skin: they belong to the photo, not to the face. What is no
 * skin is filled from the skin around, without a seam, and light that falls from one side is evened out.
 */

import type { Topology } from '../../../face/topology.ts';
import { ATLAS, type Planes } from './atlas.ts';
import { blurPlane, blurWithin } from './gaussian-blur.ts';
import { type Areas, areasOf, BLACK, findOutliers, GREY } from './skin-segmentation.ts';
import { enlarged, GRID, GRID_STEP, shrink } from './texel-grid.ts';

/** What is no skin is taken to reach so many pixels of the grid further: hair has soft edges. */
const MARGIN = 2;
/** Softness of the fill's edge and of the skin that it starts from, in pixels of the grid. */
const FEATHER = 1.5;
const START = 1.5;
/** What hair hides mostly looks away from the light: so much darker far from the skin that shows, and how far that is. */
const SHADE = 0.3;
const SHADE_SIGMA = 5;
/** How softly what was there is asked whether it was darker at all: a single bright strand says nothing. */
const STRANDS = 3;
/** The colour of skin in white light, as U and V off grey in shares of luma above black. */
const NEUTRAL = [-0.12, 0.13] as const;
/** So much of the photo's colour is taken off: all of it would leave lips and lids in a very warm photo purple. */
const NEUTRALISED = 0.5;
/** Light of a softness above this many pixels of the grid is compared between the halves of the face. */
const SIDE_LIGHT_SIGMA = 7;
/** Of the difference between the halves so much is taken out: faces are not quite even, and a little light is lively. */
const SIDE_LIGHT_SHARE = 0.8;

/**
 * Cleans `planes` in place.
 * @param at texture coordinates of the points in pixels of the atlas.
 */
export function delight(planes: Planes, at: Float32Array, topology: Topology): void {
  const areas = areasOf(topology, at);
  const { strays, colour } = findOutliers(planes, areas);
  const keep = shrunk(
    strays.map((s, p) => ((areas.covered[p] && !s) || areas.holes[p] ? 1 : 0)),
    areas,
  );
  const plain = keep.map((k, p) => (k && !areas.holes[p] && !areas.features[p] && !areas.brows[p] ? 1 : 0));
  const opacity = blurPlane(
    keep.map((k) => 1 - k),
    GRID,
    FEATHER,
  );
  const luma = shrink(planes.y, ATLAS);
  lay(planes.y, ATLAS, shaded(filled(luma, plain), luma, keep), opacity);
  for (const plane of [planes.u, planes.v]) lay(plane, ATLAS / 2, filled(shrink(plane, ATLAS / 2), plain), opacity);
  evenSides(planes.y, areas.covered);
  neutralise(planes, colour);
}

/** The mask without what lies at its edge; features stay whole. */
function shrunk(mask: Uint8Array, { features, holes }: Areas): Uint8Array {
  let out = mask;
  for (let step = 0; step < MARGIN; step++) {
    out = out.map((m, p) =>
      m && (features[p] || holes[p] || (out[p - 1] && out[p + 1] && out[p - GRID] && out[p + GRID])) ? 1 : 0,
    );
  }
  return out;
}

/**
 * Carries the kept pixels into all the rest: a membrane (Laplace's equation) hung on them, found from coarse to fine so
 * that it also spans a whole forehead.
 */
function filled(plane: Float32Array, keep: Uint8Array): Float32Array {
  const near = blurWithin(plane, keep, GRID, START);
  const out = near.map((value, p) => (keep[p] ? value : 0));
  pullPush(out, Float32Array.from(keep), GRID);
  for (let pass = 0; pass < 60; pass++) {
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

/** The fill, darker the further it lies from what is kept, but not darker than what was there. */
function shaded(fill: Float32Array, was: Float32Array, keep: Uint8Array): Float32Array {
  const near = blurPlane(keep, GRID, SHADE_SIGMA);
  const dark = blurPlane(was, GRID, STRANDS);
  return fill.map((value, p) => {
    const shade = keep[p] ? 0 : SHADE * Math.max(0, 1 - 2 * near[p]!);
    return Math.max(BLACK + (value - BLACK) * (1 - shade), Math.min(value, dark[p]!));
  });
}

/** Fills where `weight` is 0 from means over growing squares (Gortler and others, The Lumigraph, 1996), in place. */
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

/** Lays the grid's `fill` over a plane of `size` pixels a side. */
function lay(plane: Uint8Array, size: number, fill: Float32Array, opacity: Float32Array): void {
  const [value, share] = [enlarged(fill, size), enlarged(opacity, size)];
  for (let p = 0; p < plane.length; p++) plane[p] = Math.round(plane[p]! + share[p]! * (value[p]! - plane[p]!));
}

/** Takes out what falls on one half of the face only and is too soft to be a feature. */
function evenSides(luma: Uint8Array, covered: Uint8Array): void {
  const small = shrink(luma, ATLAS);
  const soft = blurWithin(small, covered, GRID, SIDE_LIGHT_SIGMA);
  for (let p = 0; p < luma.length; p++) {
    const from = Math.floor(Math.floor(p / ATLAS) / GRID_STEP) * GRID + Math.floor((p % ATLAS) / GRID_STEP);
    const mirrored = from - (from % GRID) + GRID - 1 - (from % GRID);
    if (!covered[from] || !covered[mirrored]) continue;
    const uneven = (soft[from]! - soft[mirrored]!) / 2;
    luma[p] = Math.round(Math.min(255, Math.max(0, luma[p]! - SIDE_LIGHT_SHARE * uneven)));
  }
}

/**
 * Takes half of the colour of the photo's light, found on the skin, off in proportion to luma: taken off evenly it would leave
 * dark brows and lids with the opposite tint. What has less of it to begin with (whites, lamps' reflections) loses less.
 */
function neutralise({ y, u, v }: Planes, skin: readonly [number, number]): void {
  const half = ATLAS / 2;
  const [tu, tv] = [skin[0] - NEUTRAL[0], skin[1] - NEUTRAL[1]];
  const strength = tu * tu + tv * tv || 1;
  for (let p = 0; p < u.length; p++) {
    const i = 2 * Math.floor(p / half) * ATLAS + 2 * (p % half);
    const luma = Math.max(1, (y[i]! + y[i + 1]! + y[i + ATLAS]! + y[i + ATLAS + 1]!) / 4 - BLACK);
    const [du, dv] = [(u[p]! - GREY) / luma - NEUTRAL[0], (v[p]! - GREY) / luma - NEUTRAL[1]];
    const share = NEUTRALISED * Math.min(1, Math.max(0, (du * tu + dv * tv) / strength));
    u[p] = Math.round(u[p]! - share * tu * luma);
    v[p] = Math.round(v[p]! - share * tv * luma);
  }
}
