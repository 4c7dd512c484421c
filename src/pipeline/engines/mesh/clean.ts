/**
 * Takes hair, hard shadow and collar off the source's forehead and rim: they belong to the photo, not to the face. What
 * skin looks like is fitted from the cheeks, nose and chin; what strays from it there is filled from the skin around.
 */

import { BROW_LEFT, BROW_RIGHT, type Topology } from '../../topology.ts';
import { ATLAS, forEachPixel, type Planes } from './atlas.ts';

/** Work is done on the chroma grid: half the atlas. */
const SIZE = ATLAS / 2;
/** Strays by so many steps of luma or chroma are no skin; the luma of a photo's light varies more than its chroma. */
const LUMA_STRAY = 40;
const CHROMA_STRAY = 14;
/** The mask grows by so many pixels, as the edge of hair is soft. */
const GROW = 5;

/** Cleans `planes` in place. @param at texture coordinates of the points in pixels of the atlas. */
export function cleanSkin(planes: Planes, at: Float32Array, topology: Topology): void {
  const half = at.map((value) => value / 2);
  const skin = pixelsOf(
    topology,
    half,
    (i) => topology.ring[i]! >= 2 && topology.fromEyes[i]! >= 2 && topology.fromMouth[i]! >= 3 && !BROWS.has(i),
  );
  const brows = pixelsOf(topology, half, (i) => BROWS.has(i) || topology.fromEyes[i]! <= 2);
  const covered = pixelsOf(topology, half, () => true);
  const luma = shrink(planes.y);
  const eyes = half[2 * EYES_MIDDLE + 1]!;
  const rim = pixelsOf(topology, half, (i) => topology.ring[i]! <= 2);
  const outskirts = covered.map((c, p) => (c && !brows[p] && (rim[p] || Math.floor(p / SIZE) < eyes) ? 1 : 0));
  const core = skin.map((s, p) => (s && !outskirts[p] ? 1 : 0));
  const fits = [luma, planes.u, planes.v].map((plane) => fitPlane(plane, core));
  const strays = (p: number, share: number): boolean => {
    const [dy, du, dv] = [luma, planes.u, planes.v].map((plane, k) => plane[p]! - fits[k]!(p));
    return Math.abs(dy!) > share * LUMA_STRAY || Math.hypot(du!, dv!) > share * CHROMA_STRAY;
  };
  let stray = Uint8Array.from(outskirts, (f, p) => (f && strays(p, 1) ? 1 : 0));
  for (let pass = 0; pass < GROW; pass++) stray = grown(stray, outskirts);
  if (!stray.includes(1)) return;
  const keep = covered.map((c, p) => (c && !stray[p] && !(brows[p] && strays(p, 0.7)) ? 1 : 0));
  const soft = feathered(stray);
  for (const [k, plane] of [planes.u, planes.v].entries()) mix(plane, SIZE, filled(plane, keep, fits[k + 1]!), soft, 1);
  mix(planes.y, ATLAS, filled(luma, keep, fits[0]!), soft, 2);
}

const BROWS = new Set([...BROW_LEFT, ...BROW_RIGHT]);
/** The bridge of the nose between the eyes. */
const EYES_MIDDLE = 168;

type Fit = (pixel: number) => number;

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
    const from = Math.floor(Math.floor(p / size) / scale) * SIZE + Math.floor((p % size) / scale);
    plane[p] = Math.round(plane[p]! + soft[from]! * (fill[from]! - plane[p]!));
  }
}
