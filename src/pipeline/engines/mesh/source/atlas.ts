/**
 * The source face as a texture in the layout of the canonical face model, made once when a face is enrolled. Every
 * part is taken from the photo that saw it best; what no photo saw is taken from the other half of the face.
 */

import type { Frame } from '../../../../shared/types.ts';
import { ALL_POINTS, LIPS_INNER, LIPS_OUTER, POINTS, type Topology } from '../../../face/topology.ts';
import type { Portrait } from '../../engine.ts';
import { facing } from '../facing.ts';

/** Side of the luma texture in pixels; chroma is half. Must be even. */
export const ATLAS = 512;
/** Space around the unwrapped face, so that sampling at the rim stays inside. */
const BORDER = 8;
/** The mirrored half is used only where the photo saw it this many times more squarely. */
const MIRROR_RELUCTANCE = 2.5;
/** Of the way from the lips' inner edge to the outer so much is left out. */
const LIPS_APART = 0.25;

/** Planes of a square I420 picture, tightly packed. */
export interface Planes {
  y: Uint8Array;
  u: Uint8Array;
  v: Uint8Array;
}

/** Texture coordinates of the points in pixels of the atlas: x, y of 468. */
export function atlasPoints(topology: Topology): Float32Array {
  const points = new Float32Array(POINTS * 2);
  for (let i = 0; i < points.length; i++) points[i] = BORDER + topology.uvs[i]! * (ATLAS - 2 * BORDER);
  return points;
}

interface View {
  picture: Frame;
  /** Where mesh point i lies in the picture: x, y of 468. */
  at: Float32Array;
  /** How much to take from here at point i, 0 or more. */
  weight: Float32Array;
}

/** Draws the photos into one atlas. Holes (eyes, mouth) are left at mid grey; nothing ever shows them. */
export function paintAtlas(portraits: Portrait[], topology: Topology): Planes {
  const views = portraits.flatMap((portrait) => viewsOf(portrait, topology));
  const to = atlasPoints(topology);
  const half = Float32Array.from(to, (value) => value / 2);
  const paint = (plane: 0 | 1 | 2): Uint8Array =>
    paintPlane(views, topology.skin, plane === 0 ? to : half, plane, plane === 0 ? ATLAS : ATLAS / 2);
  return { y: paint(0), u: paint(1), v: paint(2) };
}

/** A portrait as it is and mirrored. */
function viewsOf({ picture, points }: Portrait, topology: Topology): View[] {
  const at = new Float32Array(POINTS * 2);
  const mirrored = new Float32Array(POINTS * 2);
  for (let i = 0; i < POINTS; i++) {
    const j = topology.mirror[i]!;
    at.set([points[3 * i]!, points[3 * i + 1]!], 2 * i);
    mirrored.set([points[3 * j]!, points[3 * j + 1]!], 2 * i);
  }
  for (const places of [at, mirrored]) partLips(places);
  const seen = facing(points.subarray(0, ALL_POINTS * 3), topology).map((f) => Math.max(0, f) ** 2);
  const direct = seen.map((s) => s + 1e-4);
  const other = seen.map((s, i) => Math.max(0, seen[topology.mirror[i]!]! - MIRROR_RELUCTANCE * s));
  return [
    { picture, at, weight: direct },
    { picture, at: mirrored, weight: other },
  ];
}

/** Takes the lips' inner edge from a little further out: the dark line between closed lips is no part of an open mouth. */
function partLips(at: Float32Array): void {
  for (const [k, inner] of LIPS_INNER.entries()) {
    const outer = LIPS_OUTER[k]!;
    for (let c = 0; c < 2; c++) at[2 * inner + c]! += LIPS_APART * (at[2 * outer + c]! - at[2 * inner + c]!);
  }
}

function paintPlane(
  views: View[],
  triangles: Uint16Array,
  to: Float32Array,
  plane: 0 | 1 | 2,
  size: number,
): Uint8Array {
  const sum = new Float32Array(size * size);
  const total = new Float32Array(size * size);
  const shrink = plane === 0 ? 1 : 0.5;
  for (const { picture, at, weight } of views) {
    const texel = sampler(picture, plane);
    forEachPixel(triangles, to, size, (pixel, i, j, k, p, q, r) => {
      // Squared so that the better photo wins clearly, with a soft change-over.
      const w = (p * weight[i]! + q * weight[j]! + r * weight[k]!) ** 2;
      const x = (p * at[2 * i]! + q * at[2 * j]! + r * at[2 * k]!) * shrink;
      const y = (p * at[2 * i + 1]! + q * at[2 * j + 1]! + r * at[2 * k + 1]!) * shrink;
      sum[pixel]! += w * texel(x, y);
      total[pixel]! += w;
    });
  }
  const out = new Uint8Array(size * size).fill(128);
  for (let i = 0; i < out.length; i++) if (total[i]! > 0) out[i] = Math.round(sum[i]! / total[i]!);
  spread(out, total, size);
  return out;
}

/** Bilinear value of a plane at a place in pixels of that plane, edges replicated. */
function sampler({ width, height, data }: Frame, plane: 0 | 1 | 2): (x: number, y: number) => number {
  const [cw, ch] = [(width + 1) >> 1, (height + 1) >> 1];
  const [w, h] = plane === 0 ? [width, height] : [cw, ch];
  const start = plane === 0 ? 0 : width * height + (plane - 1) * cw * ch;
  return (x, y) => {
    const fx = Math.min(w - 1, Math.max(0, x - 0.5));
    const fy = Math.min(h - 1, Math.max(0, y - 0.5));
    const x0 = Math.min(w - 2, Math.floor(fx));
    const y0 = Math.min(h - 2, Math.floor(fy));
    const at = start + y0 * w + x0;
    const [ax, ay] = [fx - x0, fy - y0];
    const top = data[at]! * (1 - ax) + data[at + 1]! * ax;
    return top * (1 - ay) + (data[at + w]! * (1 - ax) + data[at + w + 1]! * ax) * ay;
  };
}

type Visit = (pixel: number, i: number, j: number, k: number, p: number, q: number, r: number) => void;

/** Visits the pixels of each triangle with the corners' indices and barycentric weights. */
export function forEachPixel(triangles: Uint16Array, points: Float32Array, size: number, visit: Visit): void {
  for (let t = 0; t < triangles.length; t += 3) {
    const [i, j, k] = [triangles[t]!, triangles[t + 1]!, triangles[t + 2]!];
    const [ax, ay, bx, by] = [points[2 * i]!, points[2 * i + 1]!, points[2 * j]!, points[2 * j + 1]!];
    const [cx, cy] = [points[2 * k]!, points[2 * k + 1]!];
    const area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay);
    if (area === 0) continue;
    const top = Math.max(0, Math.floor(Math.min(ay, by, cy)));
    const bottom = Math.min(size - 1, Math.ceil(Math.max(ay, by, cy)));
    const left = Math.max(0, Math.floor(Math.min(ax, bx, cx)));
    const right = Math.min(size - 1, Math.ceil(Math.max(ax, bx, cx)));
    for (let y = top; y <= bottom; y++) {
      for (let x = left; x <= right; x++) {
        const q = ((x + 0.5 - ax) * (cy - ay) - (cx - ax) * (y + 0.5 - ay)) / area;
        const r = ((bx - ax) * (y + 0.5 - ay) - (x + 0.5 - ax) * (by - ay)) / area;
        if (q >= 0 && r >= 0 && q + r <= 1) visit(y * size + x, i, j, k, 1 - q - r, q, r);
      }
    }
  }
}

/** Carries the painted pixels a few pixels outwards, so that sampling at an edge never meets the empty ground. */
function spread(plane: Uint8Array, total: Float32Array, size: number): void {
  for (let pass = 0; pass < BORDER; pass++) {
    const grown: [number, number][] = [];
    for (let i = size; i < plane.length - size; i++) {
      if (total[i]! > 0) continue;
      const near = [i - 1, i + 1, i - size, i + size].filter((n) => total[n]! > 0);
      if (near.length > 0) grown.push([i, near.reduce((s, n) => s + plane[n]!, 0) / near.length]);
    }
    for (const [i, value] of grown) {
      plane[i] = value;
      total[i] = 1;
    }
  }
}
