/**
 * How opaquely the source is drawn: a factor for each of 468 points by place, by what the live face shows, and by
 * view.
 */

import { BROW_LEFT, BROW_RIGHT, POINTS, type Topology } from '../../../face/topology.ts';
import type { Portrait } from '../../engine.ts';
import { facing } from '../facing.ts';

/**
 * Tuning of the opacity, 0 transparent to 1 opaque. Rings are edges of the mesh from the face's rim, which is ring
 * 0. Cosines are between a point's normal and the direction to the camera, 1 is frontal. Hand-tuned, unless a field
 * says what set it.
 */
export const OPACITY_TUNING = {
  /**
   * Greatest opacity, 0..1: a little of the live skin everywhere keeps its grain and movement. Set by measurement:
   * expression, flicker and seam are all better than at 1.
   */
  most: 0.98,
  /**
   * Opacity by ring from the rim inwards, 1 beyond the list. Nothing at the rim itself: the atlas ends there, and a
   * dark line showed along a bright forehead at 0.4.
   */
  rimFade: [0, 0.8, 1] as readonly number[],
  /**
   * Factor on the opacity by ring where the live face shows hair or a headset instead of skin, which stay; 1 beyond
   * the list. Over six rings, as a light that multiplies does not hide the edge by going dark.
   */
  hairFade: [0, 0.1, 0.25, 0.45, 0.65, 0.85] as readonly number[],
  /** Likeness to lit skin, 0..1, up to which a point shows hair: the factor is `hairFade`. */
  unlike: 0.15,
  /** Likeness from which it shows skin, if in soft shade: the factor is 1. Above `unlike`. */
  like: 0.6,
  /** Opacity at the edge of an eye, 0..1, where drawing ends at once: at 1 the opening is told less well. */
  lid: 0.8,
  /** Opacity at the edge of the mouth's inside, 0..1, where drawing ends at once. */
  lip: 0.9,
  /**
   * A point fades where the best photo saw it less squarely than the camera does. Cosine of the photo over that of
   * the camera up to which the factor is `worseLeast`; 0..1.
   */
  worseFrom: 0.3,
  /** Ratio of the cosines from which the factor is 1; above `worseFrom`. */
  worseTo: 0.8,
  /** Least factor of that fade; 0..1. */
  worseLeast: 0.3,
  /**
   * Factor on the cosine of a point whose mirror image a photo saw, 0..1: a mirrored half is not quite what a photo
   * of it is.
   */
  mirrored: 0.8,
  /** Least cosine of the camera in that comparison; above 0. */
  cosineLeast: 0.05,
  /** Factor by edges from eyes or lips that are kept live, 1 beyond the list. */
  keptFade: [0, 0, 0.5] as readonly number[],
  /** Edges from the mouth's inner edge at which `keptFade` begins for a live mouth: the lips are kept whole. */
  keptLips: 2,
  /**
   * Edges from the mouth's inner edge up to which live skin is drawn below the source where the live mouth is kept.
   */
  keptMouthReach: 4,
  /** Edges from the eyes up to which live skin is drawn below the source where the live eyes are kept. */
  keptEyesReach: 2,
  /** Cosine to the camera up to which a part that turns away is not drawn; 0..1. */
  turnedFrom: 0,
  /** Cosine to the camera from which a part is drawn whole; above `turnedFrom`. */
  turnedTo: 0.25,
  /**
   * `turnedFrom` inside the face, where a part that turns away soon lies behind the nose. The nose's dark side was
   * drawn as a line along the far cheek.
   */
  foldedFrom: 0.15,
  /** `turnedTo` inside the face; above `foldedFrom`. */
  foldedTo: 0.42,
  /** Rings from the rim from which points count as inside for that. */
  foldsFromRing: 5,
  /** Edges from the eyes up to which points do not fold: lids. */
  foldsPastEyes: 1,
  /** Edges from the mouth's inner edge up to which points do not fold: lips. */
  foldsPastMouth: 2,
};

/** Values of the opacity that an experiment may set anew; see `OPACITY_TUNING` for units and ranges. */
export type OpacityTuning = Readonly<typeof OPACITY_TUNING>;

const BROWS = new Set([...BROW_LEFT, ...BROW_RIGHT]);

const ramp = (from: number, to: number, x: number): number => Math.min(1, Math.max(0, (x - from) / (to - from)));

/** Opacity by place on the face alone, of 468 points. */
export function opacityByPlace(topology: Topology, tuning: OpacityTuning = OPACITY_TUNING): Float32Array {
  const { ring, fromEyes, fromMouth } = topology;
  const { most, rimFade, lid, lip } = tuning;
  return Float32Array.from({ length: POINTS }, (_, i) => {
    const rim = rimFade[ring[i]!] ?? 1;
    return most * rim * (fromEyes[i] === 0 ? lid : 1) * (fromMouth[i] === 0 ? lip : 1);
  });
}

/** Factor on the opacity of each of 468 points where the live face shows no skin. */
export function opacityOverHair({ ring }: Topology, { hairFade }: OpacityTuning = OPACITY_TUNING): Float32Array {
  return Float32Array.from({ length: POINTS }, (_, i) => hairFade[ring[i]!] ?? 1);
}

/** Factor on the opacity of each of 468 points where the live person's eyes (with brows) or mouth are kept. */
export function opacityWhereKept(
  { fromEyes, fromMouth, ring }: Topology,
  keepsEyes: boolean,
  keepsMouth: boolean,
  tuning: OpacityTuning = OPACITY_TUNING,
): Float32Array {
  const { keptFade, keptLips } = tuning;
  const fade = (edges: number): number => (edges < 0 ? 0 : (keptFade[edges] ?? 1));
  return Float32Array.from(ring, (_, i) => {
    const eye = keepsEyes ? (BROWS.has(i) ? 0 : fade(fromEyes[i]!)) : 1;
    return eye * (keepsMouth ? fade(fromMouth[i]! - keptLips) : 1);
  });
}

/** Cosine at which the best photo saw each of 468 points, 0..1. */
export function bestViews(
  portraits: Portrait[],
  topology: Topology,
  { mirrored }: OpacityTuning = OPACITY_TUNING,
): Float32Array {
  const best = new Float32Array(POINTS);
  for (const { points } of portraits) {
    const seen = facing(points, topology);
    for (let i = 0; i < POINTS; i++) best[i] = Math.max(best[i]!, seen[i]!, mirrored * seen[topology.mirror[i]!]!);
  }
  return best;
}

/** 1 for each of 468 points that folds behind the nose as the head turns; lids and lips do not. */
export function foldsOf(topology: Topology, tuning: OpacityTuning = OPACITY_TUNING): Uint8Array {
  const { ring, fromEyes, fromMouth } = topology;
  const { foldsFromRing, foldsPastEyes, foldsPastMouth } = tuning;
  return Uint8Array.from({ length: POINTS }, (_, i) =>
    ring[i]! >= foldsFromRing && fromEyes[i]! > foldsPastEyes && fromMouth[i]! > foldsPastMouth ? 1 : 0,
  );
}

/**
 * Factor on a point's opacity by what the live face shows there, 0..1.
 * @param likeness how much it looks like lit skin, 0..1.
 * @param overHair of the point, as `opacityOverHair` returns it.
 */
export function opacityByLikeness(
  likeness: number,
  overHair: number,
  { unlike, like }: OpacityTuning = OPACITY_TUNING,
): number {
  return overHair + (1 - overHair) * ramp(unlike, like, likeness);
}

/**
 * Factor on a point's opacity by view, 0..1.
 * @param live cosine to the camera now.
 * @param photo cosine to the camera in the best photo.
 * @param folds of the point, as `foldsOf` returns it.
 */
export function opacityByView(
  live: number,
  photo: number,
  folds: number,
  tuning: OpacityTuning = OPACITY_TUNING,
): number {
  const { worseFrom, worseTo, worseLeast, cosineLeast } = tuning;
  const worse = worseLeast + (1 - worseLeast) * ramp(worseFrom, worseTo, photo / Math.max(cosineLeast, live));
  const turned = folds
    ? ramp(tuning.foldedFrom, tuning.foldedTo, live)
    : ramp(tuning.turnedFrom, tuning.turnedTo, live);
  return worse * turned;
}

/**
 * Eyes, the mouth's inside, and the skin beside them that is drawn translucent: triangles of three point indices.
 * @param keepsLive whether the live eyes or mouth are kept: with all the skin that then lets the live face through.
 */
export function translucentTriangles(
  { skin, holes, fromEyes, fromMouth }: Topology,
  keepsLive: boolean,
  { keptEyesReach, keptMouthReach }: OpacityTuning = OPACITY_TUNING,
): number[] {
  const isNear = (i: number): boolean =>
    keepsLive
      ? fromEyes[i]! <= keptEyesReach || fromMouth[i]! <= keptMouthReach || BROWS.has(i)
      : fromEyes[i] === 0 || fromMouth[i] === 0;
  const triangles = [...holes];
  for (let t = 0; t < skin.length; t += 3) {
    const corners = [...skin.subarray(t, t + 3)];
    if (corners.some(isNear)) triangles.push(...corners);
  }
  return triangles;
}
