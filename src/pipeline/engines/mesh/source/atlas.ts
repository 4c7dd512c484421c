/**
 * The source face as a texture in the layout of the canonical face model, made once when a face is enrolled. Every
 * part is taken from the photo that saw it best; what no photo saw is taken from the other half of the face.
 */

import type { Frame } from '../../../../shared/types.ts';
import { ALL_POINTS, LIPS_INNER, LIPS_OUTER, POINTS, type Topology } from '../../../face/topology.ts';
import type { Portrait } from '../../engine.ts';
import { facing } from '../facing.ts';
import { ATLAS, atlasPoints, BORDER, GREY, type Planes } from './atlas-layout.ts';
import { type MergeTuning, mergeViews, type PaintedView } from './merge-views.ts';
import { photoSampler } from './photo-sampler.ts';
import { forEachPixel } from './rasterise.ts';
import { GRID, GRID_STEP } from './texel-grid.ts';

/** Weight of a photo where it saw nothing: above 0, so that a part that no photo saw still has a colour. */
const UNSEEN_WEIGHT = 1e-4;

/** Tuning of the painting of photos into one atlas. Hand-tuned. */
export const ATLAS_TUNING = {
  /**
   * How many times more squarely than a point its mirror image must be seen for the mirrored half to be used; 1 or
   * more.
   */
  mirrorReluctance: 1.5,
  /** Cosine to the camera below which a part tells nothing about the light: the nose may hide it; 0..1. */
  hiddenBelow: 0.3,
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

interface View {
  picture: Frame;
  /** Where each mesh point lies in the picture: x, y of 468. */
  at: Float32Array;
  /** Weight of this view at each of 468 points, 0 or more. */
  weight: Float32Array;
  /** How squarely it saw each of 468 points, 0..1. */
  visibility: Float32Array;
}

/** Draws the photos into one atlas. Holes (eyes, mouth) are left at mid grey; they are never drawn. */
export function paintAtlas(
  portraits: Portrait[],
  topology: Topology,
  tuning: AtlasTuning = ATLAS_TUNING,
  merge?: MergeTuning,
): Planes {
  const views = portraits.flatMap((portrait) => viewsOf(portrait, topology, tuning));
  const { planes, weight, chromaWeight } = mergeViews(
    views.map((view) => paintView(view, topology)),
    merge,
  );
  extendRim(planes.y, weight, ATLAS);
  extendRim(planes.u, chromaWeight.slice(), ATLAS / 2);
  extendRim(planes.v, chromaWeight, ATLAS / 2);
  return planes;
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
  const cosines = facing(points.subarray(0, ALL_POINTS * 3), topology);
  const seen = cosines.map((f) => Math.max(0, f) ** 2);
  const visibility = cosines.map((f) => Math.max(0, f - tuning.hiddenBelow) / (1 - tuning.hiddenBelow));
  const direct = seen.map((s) => s + UNSEEN_WEIGHT);
  const other = seen.map((s, i) => Math.max(0, seen[topology.mirror[i]!]! - tuning.mirrorReluctance * s));
  return [
    { picture, at, weight: direct, visibility },
    { picture, at: mirrored, weight: other, visibility: visibility.map((_, i) => visibility[topology.mirror[i]!]!) },
  ];
}

/** Moves the lips' inner edge a share of the way to the outer one. */
function insetLips(at: Float32Array, share: number): void {
  for (const [k, inner] of LIPS_INNER.entries()) {
    const outer = LIPS_OUTER[k]!;
    for (let c = 0; c < 2; c++) at[2 * inner + c]! += share * (at[2 * outer + c]! - at[2 * inner + c]!);
  }
}

/** Paints one view. */
function paintView({ picture, at, weight, visibility }: View, { skin, ...topology }: Topology): PaintedView {
  const points = atlasPoints({ skin, ...topology });
  const half = points.map((value) => value / 2);
  const paint = (plane: 0 | 1 | 2, [places, size]: [Float32Array, number], weights: Float32Array): Uint8Array => {
    const out = new Uint8Array(size * size).fill(GREY);
    const texel = photoSampler(picture, plane);
    const scale = plane === 0 ? 1 : 0.5;
    forEachPixel(skin, places, size, (pixel, [i, j, k], [p, q, r]) => {
      // Squared so that the better photo wins clearly, with a soft change-over.
      weights[pixel] = (p * weight[i]! + q * weight[j]! + r * weight[k]!) ** 2;
      const x = (p * at[2 * i]! + q * at[2 * j]! + r * at[2 * k]!) * scale;
      const y = (p * at[2 * i + 1]! + q * at[2 * j + 1]! + r * at[2 * k + 1]!) * scale;
      out[pixel] = Math.round(texel(x, y));
    });
    return out;
  };
  const lumaWeight = new Float32Array(ATLAS ** 2);
  const chromaWeight = new Float32Array((ATLAS / 2) ** 2);
  const seen = new Float32Array(GRID ** 2);
  forEachPixel(
    skin,
    points.map((value) => value / GRID_STEP),
    GRID,
    (pixel, [i, j, k], [p, q, r]) => {
      seen[pixel] = p * visibility[i]! + q * visibility[j]! + r * visibility[k]!;
    },
  );
  return {
    planes: {
      y: paint(0, [points, ATLAS], lumaWeight),
      u: paint(1, [half, ATLAS / 2], chromaWeight),
      v: paint(2, [half, ATLAS / 2], chromaWeight),
    },
    weight: lumaWeight,
    chromaWeight,
    visibility: seen,
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
