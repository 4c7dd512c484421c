/**
 * Which parts of a source face are its skin, and which are hair, hard shadow, glare or collar. Skin grows outwards from
 * where it is sure to be (cheeks, chin), pixel by pixel, as long as the next one looks like the skin just before it:
 * soft shading is followed however dark it gets, while hair begins with a step.
 */

import { BROW_LEFT, BROW_RIGHT, type Topology } from '../../../face/topology.ts';
import { ATLAS, forEachPixel, type Planes } from './atlas.ts';
import { blurPlane } from './gaussian-blur.ts';
import { GRID, GRID_STEP, shrink } from './texel-grid.ts';

/** How far the skin just before a pixel is looked at, in pixels of the grid. */
const NEAR = 2;
/** Least weight of known skin nearby for a pixel to be judged: a strand of hair may be jumped over, a fringe may not. */
const NEAR_LEAST = 0.04;
/** Steps from the skin nearby that are no longer skin: of brightness in octaves, of colour in shares of the brightness. */
const BRIGHTNESS_STEP = 0.18;
const COLOUR_STEP = 0.05;
/**
 * How far skin may stray altogether from what is usual in the face's middle, in the same units: darker, brighter, colour.
 * One excludes the other: shade keeps the skin's tint, while hair in a soft picture begins without a step and is dark and grey.
 */
const DARKEST = 1.5;
const BRIGHTEST = 0.8;
const COLOUR_MOST = 0.16;
/** Seeds further from the usual than this are none: a strand over the cheek. */
const SEED_BRIGHTNESS = 0.5;
const SEED_COLOUR = 0.09;
/** No skin and so much brighter than usual is glare. */
const GLARE = 0.5;
/** Below the nose hair is looked for within so many rings of the mesh, collars within fewer: further in a beard may grow. */
const SIDE_REACH = 3;
const CHIN_REACH = 1;
/** Half the chin's width in texture coordinates. */
const CHIN_HALF = 0.16;
/** Hair that hangs over a brow is mostly darker than this against skin, in octaves; brows are mostly not. */
const HAIR_OVER_BROW = -1.3;
export const BLACK = 16;
export const GREY = 128;
/** Below this luma above black, colours are mostly noise. */
const DIM = 12;

const BROWS = new Set([...BROW_LEFT, ...BROW_RIGHT]);
/** Nose and philtrum in texture coordinates: u from, to, v from, to. */
const NOSE = [0.42, 0.58, 0.3, 0.66] as const;

/** Pixels of the grid by what the mesh knows of them; 1 where it is so. */
export interface Areas {
  /** The face without eyes and mouth. */
  covered: Uint8Array;
  /** Eyes and the mouth's inside: nothing is drawn there. */
  holes: Uint8Array;
  /** Lids, lashes and lips, which are no plain skin and stay as they are. */
  features: Uint8Array;
  /** Darker than skin by nature; what is brighter is glare. */
  brows: Uint8Array;
  /** Sure to be mostly skin. */
  core: Uint8Array;
  /** Where hair and collars may reach: from the rim inwards, but not to where a beard grows. */
  outskirts: Uint8Array;
}

export function areasOf(topology: Topology, at: Float32Array): Areas {
  const { ring, fromEyes, fromMouth, uvs } = topology;
  const grid = at.map((value) => value / GRID_STEP);
  const pixels = (wanted: (point: number) => boolean, triangles = topology.skin): Uint8Array => {
    const mask = new Uint8Array(GRID * GRID);
    forEachPixel(triangles, grid, GRID, (pixel, i, j, k) => {
      if (wanted(i) && wanted(j) && wanted(k)) mask[pixel] = 1;
    });
    return mask;
  };
  const [left, right, top, bottom] = NOSE;
  const noseAt = (i: number): boolean =>
    uvs[2 * i]! > left && uvs[2 * i]! < right && uvs[2 * i + 1]! > top && uvs[2 * i + 1]! < bottom;
  const features = pixels((i) => fromEyes[i]! <= 1 || fromMouth[i]! <= 3);
  const brows = pixels((i) => BROWS.has(i) || fromEyes[i]! <= 2).map((b, p) => (b && !features[p] ? 1 : 0));
  const above = pixels((i) => uvs[2 * i + 1]! < NOSE[3] && !noseAt(i));
  const rim = pixels((i) => ring[i]! <= (Math.abs(uvs[2 * i]! - 0.5) < CHIN_HALF ? CHIN_REACH : SIDE_REACH));
  return {
    covered: pixels(() => true),
    holes: pixels(() => true, topology.holes),
    features,
    brows,
    core: pixels((i) => ring[i]! >= 4 && fromEyes[i]! >= 3 && fromMouth[i]! >= 4 && !BROWS.has(i) && !noseAt(i)),
    outskirts: rim.map((r, p) => ((r || above[p]) && !features[p] ? 1 : 0)),
  };
}

/** Brightness in octaves, and the two colours as shares of it, of each pixel of the grid. */
type Look = readonly [Float32Array, Float32Array, Float32Array];

/**
 * What does not belong to the face (hair, hard shadow, collar, glare) as 1 for each such pixel of the grid, and the usual
 * colour of its skin: U and V off grey, as shares of luma above black.
 */
export function findOutliers(planes: Planes, areas: Areas): { strays: Uint8Array; colour: [number, number] } {
  const { covered, holes, features, brows, core, outskirts } = areas;
  const look = lookOf(planes);
  const usual = usualOf(look, core);
  const off = (p: number): [number, number] => [
    look[0][p]! - usual[0],
    Math.hypot(look[1][p]! - usual[1], look[2][p]! - usual[2]),
  ];
  const skin = core.map((c, p) => {
    const [brightness, colour] = off(p);
    return c && Math.abs(brightness) < SEED_BRIGHTNESS && colour < SEED_COLOUR ? 1 : 0;
  });
  const candidate = covered.map((c, p) => {
    const [brightness, colour] = off(p);
    const far = Math.hypot(brightness / (brightness < 0 ? DARKEST : BRIGHTEST), colour / COLOUR_MOST);
    return c && !features[p] && far < 1 ? 1 : 0;
  });
  grow(skin, candidate, look);
  const outside = covered.map((c, p) => (c || holes[p] ? 0 : 1));
  const strays = reached(outside, (p) => !skin[p] && outskirts[p] === 1 && !brows[p]);
  const hair = strays.map((s, p) => (s && covered[p] && off(p)[0] < 0 ? 1 : 0));
  const overBrows = reached(hair, (p) => brows[p] === 1 && !skin[p] && off(p)[0] < HAIR_OVER_BROW);
  for (let p = 0; p < strays.length; p++) {
    const glare = !features[p] && !skin[p] && off(p)[0] > GLARE;
    strays[p] = covered[p] && (strays[p] || overBrows[p] || glare) ? 1 : 0;
  }
  return { strays, colour: [usual[1], usual[2]] };
}

/** `from`, and what can be reached from there over pixels that may be passed. */
function reached(from: Uint8Array, passable: (pixel: number) => boolean): Uint8Array {
  const out = from.slice();
  const edge = [...out.keys()].filter((p) => out[p] === 1);
  for (let p = edge.pop(); p !== undefined; p = edge.pop()) {
    for (const n of [p - 1, p + 1, p - GRID, p + GRID]) {
      if (out[n] !== 0 || !passable(n)) continue;
      out[n] = 1;
      edge.push(n);
    }
  }
  return out;
}

/** Adds candidates to `skin`, in place, for as long as some look like the skin near them. */
function grow(skin: Uint8Array, candidate: Uint8Array, look: Look): void {
  for (let added = 1; added > 0; ) {
    added = 0;
    const weight = blurPlane(skin, GRID, NEAR);
    const near = look.map((plane) =>
      blurPlane(
        plane.map((value, p) => value * skin[p]!),
        GRID,
        NEAR,
      ),
    );
    for (let p = 0; p < skin.length; p++) {
      const w = weight[p]!;
      if (skin[p] || !candidate[p] || w < NEAR_LEAST) continue;
      const [db, du, dv] = look.map((plane, k) => plane[p]! - near[k]![p]! / w) as [number, number, number];
      if (Math.abs(db) > BRIGHTNESS_STEP || Math.hypot(du, dv) > COLOUR_STEP) continue;
      skin[p] = 1;
      added++;
    }
  }
}

function lookOf(planes: Planes): Look {
  const luma = shrink(planes.y, ATLAS).map((y) => Math.max(1, y - BLACK));
  const colour = (plane: Uint8Array): Float32Array =>
    shrink(plane, ATLAS / 2).map((c, p) => (c - GREY) / Math.max(DIM, luma[p]!));
  return [luma.map(Math.log2), colour(planes.u), colour(planes.v)];
}

/** Median of what the core looks like. */
function usualOf(look: Look, core: Uint8Array): [number, number, number] {
  const median = (plane: Float32Array): number => {
    const values = plane.filter((_, p) => core[p] === 1).sort();
    return values[values.length >> 1] ?? 0;
  };
  return [median(look[0]), median(look[1]), median(look[2])];
}
