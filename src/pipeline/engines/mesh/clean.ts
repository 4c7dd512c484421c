/**
 * Takes hair, hard shadow, glare and collar off the source's skin: they belong to the photo, not to the face. What skin
 * looks like is fitted from the cheeks, nose and chin; what strays from it outside the features is filled from the skin
 * around, and the light that falls from one side is evened out.
 */

import { BROW_LEFT, BROW_RIGHT, type Topology } from '../../topology.ts';
import { ATLAS, forEachPixel, type Planes } from './atlas.ts';
import { blurPlane } from './blur.ts';

/** Work is done on the chroma grid: half the atlas. */
const SIZE = ATLAS / 2;
/** Strays by so much of the skin's own brightness are no skin, in luma and in chroma, but never by less than the least. */
const LUMA_STRAY = 0.38;
const LUMA_STRAY_LEAST = 12;
const CHROMA_STRAY = 0.14;
const CHROMA_STRAY_LEAST = 6;
/** Beside what strays, so much of that is enough: hair has soft edges. */
const NEAR_STRAY = 0.75;
/** The mask grows by so many pixels at last. */
const GROW = 3;
/** Highlights above the stray limit are glare, and shrink to this share. */
const GLARE_KEPT = 0.35;
/** Light of a softness above this many pixels of the half atlas is compared between the halves of the face. */
const SIDE_LIGHT_SIGMA = 14;
/** Of the difference between the halves so much is taken out: faces are not quite even, and a little light is lively. */
const SIDE_LIGHT_SHARE = 0.8;
/** The bridge of the nose between the eyes. */
const EYES_MIDDLE = 168;
/** Nose and philtrum in texture coordinates: u from, to, v from, to. */
const NOSE = [0.42, 0.58, 0.3, 0.66] as const;

const BROWS = new Set([...BROW_LEFT, ...BROW_RIGHT]);

/**
 * Cleans `planes` in place.
 * @param at texture coordinates of the points in pixels of the atlas.
 */
export function cleanSkin(planes: Planes, at: Float32Array, topology: Topology): void {
  const half = at.map((value) => value / 2);
  const areas = areasOf(topology, half);
  const luma = shrink(planes.y);
  const skin = fitSkin([luma, planes.u, planes.v], areas.core);
  const stray = strays(skin, areas);
  const keep = areas.covered.map((c, p) => (c && !stray[p] && !(areas.brows[p] && skin.stray(p) > 0.7) ? 1 : 0));
  const soft = feathered(stray);
  if (stray.includes(1)) {
    for (const [k, plane] of [planes.u, planes.v].entries())
      mix(plane, SIZE, filled(plane, keep, skin.fits[k + 1]!), soft, 1);
    mix(planes.y, ATLAS, filled(luma, keep, skin.fits[0]!), soft, 2);
  }
  dimGlare(planes.y, skin, areas.covered);
  evenSides(planes.y, areas.covered);
}

interface Areas {
  covered: Uint8Array;
  brows: Uint8Array;
  /** Where hair and collars come in from: the rim, and everything above the eyes. */
  outskirts: Uint8Array;
  /** Where they may reach: everything but eyes, brows, nose and lips. */
  open: Uint8Array;
  /** Sure to be mostly skin. */
  core: Uint8Array;
}

function areasOf(topology: Topology, half: Float32Array): Areas {
  const { ring, fromEyes, fromMouth, uvs } = topology;
  const covered = pixelsOf(topology, half, () => true);
  const brows = pixelsOf(topology, half, (i) => BROWS.has(i) || fromEyes[i]! <= 2);
  const lips = pixelsOf(topology, half, (i) => fromMouth[i]! <= 3);
  const rim = pixelsOf(topology, half, (i) => ring[i]! <= 2);
  const skin = pixelsOf(
    topology,
    half,
    (i) => ring[i]! >= 2 && fromEyes[i]! >= 2 && fromMouth[i]! >= 3 && !BROWS.has(i),
  );
  const [left, right, top, bottom] = NOSE;
  const nose = pixelsOf(
    topology,
    half,
    (i) => uvs[2 * i]! > left && uvs[2 * i]! < right && uvs[2 * i + 1]! > top && uvs[2 * i + 1]! < bottom,
  );
  const eyes = half[2 * EYES_MIDDLE + 1]!;
  const open = covered.map((c, p) => (c && !brows[p] && !lips[p] && !nose[p] ? 1 : 0));
  const outskirts = open.map((o, p) => (o && (rim[p] || Math.floor(p / SIZE) < eyes) ? 1 : 0));
  const core = skin.map((s, p) => (s && !outskirts[p] ? 1 : 0));
  return { covered, brows, outskirts, open, core };
}

type Fit = (pixel: number) => number;

interface Skin {
  fits: [Fit, Fit, Fit];
  /** Luma at which something is brighter than skin. */
  glare: (pixel: number) => number;
  /** Whether a pixel is brighter than skin should be there. */
  bright: (pixel: number) => boolean;
  /** How far a pixel strays from skin; 1 is the limit. */
  stray: (pixel: number) => number;
}

/** What skin looks like here, found from the core without the part of it that is no skin itself. */
function fitSkin(grid: [Uint8Array, Uint8Array, Uint8Array], core: Uint8Array): Skin {
  const [luma, u, v] = grid;
  let chosen = core;
  let skin = skinOf(grid, chosen);
  for (let pass = 0; pass < 3; pass++) {
    chosen = core.map((c, p) => (c && skin.stray(p) < 0.7 ? 1 : 0));
    if (!chosen.includes(1)) break;
    skin = skinOf([luma, u, v], chosen);
  }
  return skin;
}

function skinOf([luma, u, v]: [Uint8Array, Uint8Array, Uint8Array], chosen: Uint8Array): Skin {
  const fits = [luma, u, v].map((plane) => fitPlane(plane, chosen)) as [Fit, Fit, Fit];
  const limit = (p: number, share: number, least: number): number => Math.max(least, share * (fits[0](p) - 16));
  const lumaLimit = (p: number): number => limit(p, LUMA_STRAY, LUMA_STRAY_LEAST);
  const stray = (p: number): number => {
    const [dy, du, dv] = [luma[p]! - fits[0](p), u[p]! - fits[1](p), v[p]! - fits[2](p)];
    return Math.max(Math.abs(dy) / lumaLimit(p), Math.hypot(du, dv) / limit(p, CHROMA_STRAY, CHROMA_STRAY_LEAST));
  };
  return {
    fits,
    stray,
    bright: (p) => luma[p]! > fits[0](p) + 0.5 * lumaLimit(p),
    glare: (p) => fits[0](p) + lumaLimit(p),
  };
}

/** What strays far in the outskirts, and what strays less beside it wherever that leads. */
function strays(skin: Skin, { outskirts, open, brows }: Areas): Uint8Array {
  let mask: Uint8Array<ArrayBuffer> = Uint8Array.from(outskirts, (o, p) => (o && skin.stray(p) > 1 ? 1 : 0));
  // Brows and lids are darker than skin; what is brighter there is glare all the same.
  const may = Uint8Array.from(open, (o, p) =>
    (o || (brows[p] && skin.bright(p))) && skin.stray(p) > NEAR_STRAY ? 1 : 0,
  );
  for (let before = -1, count = 0; count !== before; ) {
    before = count;
    mask = grown(mask, may);
    count = mask.reduce((sum, m) => sum + m, 0);
  }
  for (let pass = 0; pass < GROW; pass++) mask = grown(mask, open);
  return mask;
}

function pixelsOf(topology: Topology, at: Float32Array, wanted: (point: number) => boolean): Uint8Array {
  const mask = new Uint8Array(SIZE * SIZE);
  forEachPixel(topology.skin, at, SIZE, (pixel, i, j, k) => {
    if (wanted(i) && wanted(j) && wanted(k)) mask[pixel] = 1;
  });
  return mask;
}

function shrink(plane: Uint8Array): Uint8Array {
  return Uint8Array.from({ length: SIZE * SIZE }, (_, p) => {
    const i = 2 * Math.floor(p / SIZE) * ATLAS + 2 * (p % SIZE);
    return (plane[i]! + plane[i + 1]! + plane[i + ATLAS]! + plane[i + ATLAS + 1]!) / 4;
  });
}

/** The plane a + b·x through the chosen pixels' values: light from one side. Height is left out, as there is no skin above to hold it. */
function fitPlane(plane: Uint8Array, chosen: Uint8Array): Fit {
  let [n, sx, sxx, sv, sxv] = [0, 0, 0, 0, 0];
  for (let p = 0; p < chosen.length; p++) {
    if (!chosen[p]) continue;
    const x = (p % SIZE) / SIZE - 0.5;
    n++;
    sx += x;
    sxx += x * x;
    sv += plane[p]!;
    sxv += x * plane[p]!;
  }
  const b = (n * sxv - sx * sv) / (n * sxx - sx * sx || 1);
  const a = (sv - b * sx) / (n || 1);
  return (p) => a + b * ((p % SIZE) / SIZE - 0.5);
}

function grown(mask: Uint8Array<ArrayBuffer>, within: Uint8Array): Uint8Array<ArrayBuffer> {
  return mask.map((m, p) =>
    m || (within[p] && (mask[p - 1] || mask[p + 1] || mask[p - SIZE] || mask[p + SIZE])) ? 1 : 0,
  );
}

/** The mask with an edge that rises over a few pixels. */
function feathered(mask: Uint8Array): Float32Array {
  let soft = Float32Array.from(mask);
  for (let pass = 0; pass < 3; pass++) {
    soft = soft.map(
      (m, p) => (4 * m + (soft[p - 1] ?? m) + (soft[p + 1] ?? m) + (soft[p - SIZE] ?? m) + (soft[p + SIZE] ?? m)) / 8,
    );
  }
  return soft;
}

/** Carries kept pixels into the rest by successive relaxation, starting from what skin should be there. */
function filled(plane: Uint8Array, keep: Uint8Array, expected: Fit): Float32Array {
  const out = Float32Array.from(plane, (value, p) => (keep[p] ? value : expected(p)));
  for (let pass = 0; pass < 200; pass++) {
    for (let p = SIZE; p < out.length - SIZE; p++) {
      if (!keep[p]) out[p]! += 1.6 * ((out[p - 1]! + out[p + 1]! + out[p - SIZE]! + out[p + SIZE]!) / 4 - out[p]!);
    }
  }
  return out;
}

function mix(plane: Uint8Array, size: number, fill: Float32Array, soft: Float32Array, scale: number): void {
  for (let p = 0; p < plane.length; p++) {
    const from = gridPixel(p, size, scale);
    plane[p] = Math.round(plane[p]! + soft[from]! * (fill[from]! - plane[p]!));
  }
}

const gridPixel = (p: number, size: number, scale: number): number =>
  Math.floor(Math.floor(p / size) / scale) * SIZE + Math.floor((p % size) / scale);

/** Glare is the lamp's, not the face's. */
function dimGlare(luma: Uint8Array, skin: Skin, covered: Uint8Array): void {
  for (let p = 0; p < luma.length; p++) {
    const from = gridPixel(p, ATLAS, 2);
    if (!covered[from]) continue;
    const over = luma[p]! - skin.glare(from);
    if (over > 0) luma[p] = Math.round(luma[p]! - (1 - GLARE_KEPT) * over);
  }
}

/** Takes out what falls on one half of the face only and is too soft to be a feature. */
function evenSides(luma: Uint8Array, covered: Uint8Array): void {
  const small = shrink(luma);
  const weight = blurPlane(covered, SIZE, SIDE_LIGHT_SIGMA);
  const light = blurPlane(
    Float32Array.from(small, (y, p) => y * covered[p]!),
    SIZE,
    SIDE_LIGHT_SIGMA,
  );
  const soft = light.map((sum, p) => sum / (weight[p]! || 1));
  for (let p = 0; p < luma.length; p++) {
    const from = gridPixel(p, ATLAS, 2);
    const mirrored = from - (from % SIZE) + SIZE - 1 - (from % SIZE);
    if (!covered[from] || !covered[mirrored]) continue;
    const uneven = (soft[from]! - soft[mirrored]!) / 2;
    luma[p] = Math.round(Math.min(255, Math.max(0, luma[p]! - SIDE_LIGHT_SHARE * uneven)));
  }
}
