/**
 * The source face as a texture in the layout of the canonical face model, made once when a face is enrolled. Every
 * part is taken from the photo that saw it best; what no photo saw is taken from the other half of the face.
 */

import { planesOf } from '../../../../shared/i420.ts';
import type { Frame } from '../../../../shared/types.ts';
import { ALL_POINTS, LIPS_INNER, LIPS_OUTER, POINTS, type Topology } from '../../../face/topology.ts';
import type { Portrait } from '../../engine.ts';
import { facing } from '../facing.ts';
import { forEachPixel } from './rasterise.ts';

/** Side of the luma texture in pixels; chroma is half. Must be even. */
export const ATLAS = 512;

/** Luma of black in limited-range BT.601. */
export const BLACK = 16;

/** U and V of grey. */
export const GREY = 128;

/** Space around the unwrapped face in pixels, so that sampling at the rim stays inside. */
const BORDER = 8;
/** Weight of a photo where it saw nothing: above 0, so that a part that no photo saw still has a colour. */
const UNSEEN_WEIGHT = 1e-4;

/** Tuning of the painting of photos into one atlas. Hand-tuned. */
export const ATLAS_TUNING = {
  /**
   * How many times more squarely than a point its mirror image must be seen for the mirrored half to be used; 1 or
   * more.
   */
  mirrorReluctance: 2.5,
  /**
   * Share of the way from the lips' inner edge to the outer one that is left out, 0..1: the dark line between closed
   * lips is no part of an open mouth.
   */
  lipsInset: 0.25,
  /** Sigma of the unsharp mask, in pixels of the atlas; above 0. */
  sharpenSigma: 2,
  /** Share of the detail that it adds, 0 or more: photos of faces are small, and a camera shows every pore. */
  sharpenShare: 0.5,
};

/** Values of the atlas painting that an experiment may set anew; see `ATLAS_TUNING` for units and ranges. */
export type AtlasTuning = Readonly<typeof ATLAS_TUNING>;

/** Planes of a square I420 picture, tightly packed, limited range. */
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
  /** Where each mesh point lies in the picture: x, y of 468. */
  at: Float32Array;
  /** Weight of this view at each of 468 points, 0 or more. */
  weight: Float32Array;
}

/** The triangles of a plane that is painted. */
interface Canvas {
  triangles: Uint16Array;
  /** x, y of 468 points in pixels of the plane. */
  points: Float32Array;
  /** 0 for Y, 1 for U, 2 for V. */
  plane: 0 | 1 | 2;
  /** Side of the plane in pixels. */
  size: number;
}

/** Draws the photos into one atlas. Holes (eyes, mouth) are left at mid grey; they are never drawn. */
export function paintAtlas(portraits: Portrait[], topology: Topology, tuning: AtlasTuning = ATLAS_TUNING): Planes {
  const views = portraits.flatMap((portrait) => viewsOf(portrait, topology, tuning));
  const full = atlasPoints(topology);
  const half = Float32Array.from(full, (value) => value / 2);
  const triangles = topology.skin;
  return {
    y: paintPlane(views, { triangles, points: full, plane: 0, size: ATLAS }),
    u: paintPlane(views, { triangles, points: half, plane: 1, size: ATLAS / 2 }),
    v: paintPlane(views, { triangles, points: half, plane: 2, size: ATLAS / 2 }),
  };
}

/** A portrait as it is and mirrored. */
function viewsOf({ picture, points }: Portrait, topology: Topology, tuning: AtlasTuning): View[] {
  const at = new Float32Array(POINTS * 2);
  const mirrored = new Float32Array(POINTS * 2);
  for (let i = 0; i < POINTS; i++) {
    const j = topology.mirror[i]!;
    at.set([points[3 * i]!, points[3 * i + 1]!], 2 * i);
    mirrored.set([points[3 * j]!, points[3 * j + 1]!], 2 * i);
  }
  for (const places of [at, mirrored]) insetLips(places, tuning.lipsInset);
  const seen = facing(points.subarray(0, ALL_POINTS * 3), topology).map((f) => Math.max(0, f) ** 2);
  const direct = seen.map((s) => s + UNSEEN_WEIGHT);
  const other = seen.map((s, i) => Math.max(0, seen[topology.mirror[i]!]! - tuning.mirrorReluctance * s));
  return [
    { picture, at, weight: direct },
    { picture, at: mirrored, weight: other },
  ];
}

/** Moves the lips' inner edge a share of the way to the outer one. */
function insetLips(at: Float32Array, share: number): void {
  for (const [k, inner] of LIPS_INNER.entries()) {
    const outer = LIPS_OUTER[k]!;
    for (let c = 0; c < 2; c++) at[2 * inner + c]! += share * (at[2 * outer + c]! - at[2 * inner + c]!);
  }
}

function paintPlane(views: View[], { triangles, points, plane, size }: Canvas): Uint8Array {
  const sum = new Float32Array(size * size);
  const total = new Float32Array(size * size);
  const scale = plane === 0 ? 1 : 0.5;
  for (const { picture, at, weight } of views) {
    const texel = bilinearSampler(picture, plane);
    forEachPixel(triangles, points, size, (pixel, [i, j, k], [p, q, r]) => {
      // Squared so that the better photo wins clearly, with a soft change-over.
      const w = (p * weight[i]! + q * weight[j]! + r * weight[k]!) ** 2;
      const x = (p * at[2 * i]! + q * at[2 * j]! + r * at[2 * k]!) * scale;
      const y = (p * at[2 * i + 1]! + q * at[2 * j + 1]! + r * at[2 * k + 1]!) * scale;
      sum[pixel]! += w * texel(x, y);
      total[pixel]! += w;
    });
  }
  const out = new Uint8Array(size * size).fill(GREY);
  for (let i = 0; i < out.length; i++) if (total[i]! > 0) out[i] = Math.round(sum[i]! / total[i]!);
  extendRim(out, total, size);
  return out;
}

/** Bilinear value of a plane at a place in pixels of that plane, edges replicated. */
function bilinearSampler({ width, height, data }: Frame, plane: 0 | 1 | 2): (x: number, y: number) => number {
  const { chromaWidth, chromaHeight, u, v } = planesOf({ width, height });
  const [w, h] = plane === 0 ? [width, height] : [chromaWidth, chromaHeight];
  const start = [0, u, v][plane]!;
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

/**
 * Extends the painted pixels outwards by the border's width, so that sampling at an edge never meets the empty
 * ground.
 */
function extendRim(plane: Uint8Array, total: Float32Array, size: number): void {
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
