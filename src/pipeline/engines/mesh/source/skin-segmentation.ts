/**
 * Segments a source face into its skin and what is none: hair, hard shadow, glare, collar. Region growing starts
 * where skin is certain (cheeks, chin) and adds each pixel that looks like the skin just before it: soft shading is
 * followed however dark it gets, while hair begins with a step.
 */

import { BROW_LEFT, BROW_RIGHT, type Topology } from '../../../face/topology.ts';
import { ATLAS, BLACK, GREY, type Planes } from './atlas-layout.ts';
import { blurPlane, blurWithin } from './gaussian-blur.ts';
import { forEachPixel } from './rasterise.ts';
import { GRID, GRID_STEP, shrink } from './texel-grid.ts';

/**
 * Tuning of the segmentation. Brightness is in octaves of luma above black, colour in shares of that luma, lengths
 * in pixels of the 128×128 grid, rings in edges of the mesh from the rim, texture coordinates 0..1. Hand-tuned.
 * Limits alone, without region growing, took dark foreheads for hair, and left hair at the brows and glare on noses.
 */
export const SKIN_TUNING = {
  /** Sigma of the neighbourhood that a pixel is compared with; pixels, above 0. */
  near: 2,
  /** Least weight of known skin in it, 0..1: region growing crosses a strand of hair, but not a fringe. */
  nearLeast: 0.04,
  /** Step of brightness from the skin nearby from which a pixel is none; octaves, above 0. */
  brightnessStep: 0.18,
  /** Step of colour from the skin nearby from which a pixel is none; shares of luma, above 0. */
  colourStep: 0.05,
  /**
   * How much darker than usual skin may be; octaves, above 0. The three limits form an ellipse, so one excludes the
   * other: shade keeps the skin's tint, while hair in a soft picture begins without a step and is both dark and grey.
   */
  darkest: 1.5,
  /** How much brighter than usual skin may be; octaves, above 0. */
  brightest: 0.8,
  /** How far off the usual colour skin may be; shares of luma, above 0. */
  colourMost: 0.16,
  /**
   * Difference from usual up to which a pixel of the core is a seed; octaves, above 0. Beyond it lies a strand over
   * the cheek.
   */
  seedBrightness: 0.5,
  /** Difference of colour from usual up to which a pixel of the core is a seed; shares of luma, above 0. */
  seedColour: 0.09,
  /** Pixels that are no skin and so much brighter than usual are glare; octaves, above 0. */
  glare: 0.5,
  /** Rings from the rim within which hair is searched below the nose: further in a beard may grow. */
  sideRings: 3,
  /** Rings from the rim within which collars are searched at the chin. */
  chinRings: 1,
  /** Half the chin's width; texture coordinates. */
  chinHalf: 0.16,
  /**
   * Difference from the skin nearby below which a pixel on a brow is hair that hangs over it; octaves, below 0. Most
   * of a brow is brighter.
   */
  hairOverBrow: -1.3,
  /** Sigma of "nearby" for that; pixels, above 0: a brow in the shade lies beside skin in the shade. */
  nearBrow: 8,
  /** Least luma above black that colours are divided by; 0..255. Below it colours are mostly noise. */
  dim: 12,
  /** Nose and philtrum, which are no seeds; texture coordinates. */
  nose: { left: 0.42, right: 0.58, top: 0.3, bottom: 0.66 },
  /** Rings from the rim from which points belong to the core. */
  coreFrom: 4,
  /** Edges from the eyes from which points belong to the core. */
  coreFromEyes: 3,
  /** Edges from the mouth's inner edge from which points belong to the core. */
  coreFromMouth: 4,
  /** Edges from the eyes up to which points are features. */
  featuresAtEyes: 1,
  /** Edges from the mouth's inner edge up to which points are features. */
  featuresAtMouth: 3,
  /** Edges from the eyes up to which points are treated like brows. */
  browsAtEyes: 2,
};

/** Values of the segmentation that an experiment may set anew; see `SKIN_TUNING` for units and ranges. */
export type SkinTuning = Readonly<typeof SKIN_TUNING>;

const BROWS = new Set([...BROW_LEFT, ...BROW_RIGHT]);

/** What the mesh knows of the grid's pixels, before any photo: masks of GRID × GRID, 1 where it is so. */
export interface Areas {
  /** The face without eyes and mouth. */
  covered: Uint8Array;
  /** Eyes and the mouth's inside, which are never drawn. */
  holes: Uint8Array;
  /** Lids, lashes and lips, which are no plain skin and stay as they are. */
  features: Uint8Array;
  /** Brows, darker than skin by nature; brighter pixels there are glare. */
  brows: Uint8Array;
  /** Certainly skin for the most part: where seeds are taken from. */
  core: Uint8Array;
  /** Where hair and collars may reach: from the rim inwards, but not to where a beard grows. */
  outskirts: Uint8Array;
}

/**
 * Areas of the canonical face.
 * @param at texture coordinates of the points in pixels of the atlas, see `atlasPoints`.
 */
export function areasOf(topology: Topology, at: Float32Array, tuning: SkinTuning = SKIN_TUNING): Areas {
  const { ring, fromEyes, fromMouth, uvs } = topology;
  const { nose, chinHalf, chinRings, sideRings } = tuning;
  const grid = at.map((value) => value / GRID_STEP);
  const pixels = (isWanted: (point: number) => boolean, triangles = topology.skin): Uint8Array => {
    const mask = new Uint8Array(GRID * GRID);
    forEachPixel(triangles, grid, GRID, (pixel, corners) => {
      if (corners.every(isWanted)) mask[pixel] = 1;
    });
    return mask;
  };
  const noseAt = (i: number): boolean =>
    uvs[2 * i]! > nose.left && uvs[2 * i]! < nose.right && uvs[2 * i + 1]! > nose.top && uvs[2 * i + 1]! < nose.bottom;
  const coreAt = (i: number): boolean =>
    ring[i]! >= tuning.coreFrom &&
    fromEyes[i]! >= tuning.coreFromEyes &&
    fromMouth[i]! >= tuning.coreFromMouth &&
    !BROWS.has(i) &&
    !noseAt(i);
  const features = pixels((i) => fromEyes[i]! <= tuning.featuresAtEyes || fromMouth[i]! <= tuning.featuresAtMouth);
  const brows = pixels((i) => BROWS.has(i) || fromEyes[i]! <= tuning.browsAtEyes);
  const above = pixels((i) => uvs[2 * i + 1]! < nose.bottom && !noseAt(i));
  const rim = pixels((i) => ring[i]! <= (Math.abs(uvs[2 * i]! - 0.5) < chinHalf ? chinRings : sideRings));
  return {
    covered: pixels(() => true),
    holes: pixels(() => true, topology.holes),
    features,
    brows: brows.map((b, p) => (b && !features[p] ? 1 : 0)),
    core: pixels(coreAt),
    outskirts: rim.map((r, p) => ((r || above[p]) && !features[p] ? 1 : 0)),
  };
}

/** Brightness in octaves, and the two colours as shares of luma, of each pixel of the grid. */
type Appearance = readonly [Float32Array, Float32Array, Float32Array];

/** What of a photo is no skin, and what its skin looks like. */
export interface SkinOutliers {
  /** 1 for each pixel of the grid that does not belong to the face: hair, hard shadow, collar, glare. */
  outliers: Uint8Array;
  /** Usual U and V of the skin off grey, in shares of luma above black. */
  colour: readonly [number, number];
}

/** Finds what does not belong to the face in an atlas. */
export function findOutliers(planes: Planes, areas: Areas, tuning: SkinTuning = SKIN_TUNING): SkinOutliers {
  const { covered, holes, features, brows, core, outskirts } = areas;
  const appearance = appearanceOf(planes, tuning);
  const usual = usualOf(appearance, core);
  const off = (p: number): [number, number] => [
    appearance[0][p]! - usual[0],
    Math.hypot(appearance[1][p]! - usual[1], appearance[2][p]! - usual[2]),
  ];
  const skin = core.map((c, p) => {
    const [brightness, colour] = off(p);
    return c && Math.abs(brightness) < tuning.seedBrightness && colour < tuning.seedColour ? 1 : 0;
  });
  const candidates = covered.map((c, p) => {
    const [brightness, colour] = off(p);
    const limit = brightness < 0 ? tuning.darkest : tuning.brightest;
    const far = Math.hypot(brightness / limit, colour / tuning.colourMost);
    return c && !features[p] && far < 1 ? 1 : 0;
  });
  growRegion(skin, candidates, appearance, tuning);
  const outside = covered.map((c, p) => (c || holes[p] ? 0 : 1));
  const outliers = floodFill(outside, (p) => !skin[p] && outskirts[p] === 1 && !brows[p]);
  const hair = outliers.map((o, p) => (o && covered[p] && off(p)[0] < 0 ? 1 : 0));
  const skinNearby = blurWithin(appearance[0], skin, GRID, tuning.nearBrow);
  const isHair = (p: number): boolean => appearance[0][p]! - Math.min(usual[0], skinNearby[p]!) < tuning.hairOverBrow;
  const overBrows = floodFill(hair, (p) => brows[p] === 1 && !skin[p] && isHair(p));
  for (let p = 0; p < outliers.length; p++) {
    const glare = !features[p] && !skin[p] && off(p)[0] > tuning.glare;
    outliers[p] = covered[p] && (outliers[p] || overBrows[p] || glare) ? 1 : 0;
  }
  return { outliers, colour: [usual[1], usual[2]] };
}

/** `from`, and what is connected to it over passable pixels. */
function floodFill(from: Uint8Array, isPassable: (pixel: number) => boolean): Uint8Array {
  const out = from.slice();
  const open = [...out.keys()].filter((p) => out[p] === 1);
  for (let p = open.pop(); p !== undefined; p = open.pop()) {
    for (const n of [p - 1, p + 1, p - GRID, p + GRID]) {
      if (out[n] !== 0 || !isPassable(n)) continue;
      out[n] = 1;
      open.push(n);
    }
  }
  return out;
}

/** Adds candidates to `skin`, in place, until none is left that looks like the skin near it. */
function growRegion(skin: Uint8Array, candidates: Uint8Array, appearance: Appearance, tuning: SkinTuning): void {
  for (let added = 1; added > 0; ) {
    added = 0;
    const weight = blurPlane(skin, GRID, tuning.near);
    const near = appearance.map((plane) =>
      blurPlane(
        plane.map((value, p) => value * skin[p]!),
        GRID,
        tuning.near,
      ),
    );
    for (let p = 0; p < skin.length; p++) {
      const w = weight[p]!;
      if (skin[p] || !candidates[p] || w < tuning.nearLeast) continue;
      const [db, du, dv] = appearance.map((plane, k) => plane[p]! - near[k]![p]! / w) as [number, number, number];
      if (Math.abs(db) > tuning.brightnessStep || Math.hypot(du, dv) > tuning.colourStep) continue;
      skin[p] = 1;
      added++;
    }
  }
}

function appearanceOf(planes: Planes, { dim }: SkinTuning): Appearance {
  const luma = shrink(planes.y, ATLAS).map((y) => Math.max(1, y - BLACK));
  const colour = (plane: Uint8Array): Float32Array =>
    shrink(plane, ATLAS / 2).map((c, p) => (c - GREY) / Math.max(dim, luma[p]!));
  return [luma.map(Math.log2), colour(planes.u), colour(planes.v)];
}

/** Median appearance of the core. */
function usualOf(appearance: Appearance, core: Uint8Array): [number, number, number] {
  const median = (plane: Float32Array): number => {
    const values = plane.filter((_, p) => core[p] === 1).sort();
    return values[values.length >> 1] ?? 0;
  };
  return [median(appearance[0]), median(appearance[1]), median(appearance[2])];
}
