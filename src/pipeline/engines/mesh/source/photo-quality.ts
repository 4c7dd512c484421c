/**
 * How well a photo will do as a source face: the components of face image quality (ISO/IEC 29794-5) that show in a
 * swap. Runs in the lane worker, once a photo.
 */

import type { PhotoFlaw } from '../../../../shared/messages.ts';
import type { Frame } from '../../../../shared/types.ts';
import { poseOf } from '../../../face/pose.ts';
import { EYE_OUTER_LEFT, EYE_OUTER_RIGHT, POINTS, type Topology } from '../../../face/topology.ts';
import type { Portrait } from '../../engine.ts';
import { atlasColours } from '../colour-sampler.ts';
import { facing } from '../facing.ts';
import type { FaceMap } from '../occlusion/face-map.ts';
import type { OccluderSegmenter } from '../occlusion/occluder-segmentation.ts';
import { paintAtlas } from './atlas.ts';
import { atlasPoints, BLACK, GREY } from './atlas-layout.ts';
import { photoSampler } from './photo-sampler.ts';

/** Tuning of the flaws. Set by what shows in the faces made of 536 portraits, unless a field says otherwise. */
export const PHOTO_QUALITY_TUNING = {
  /** Pixels between the outer corners of the eyes below which a photo is small; a face 300 wide has 170. */
  smallBelow: 90,
  /** Degrees to the side beyond which a face is turned. */
  yawMost: 25,
  /** Degrees up or down beyond which a face is turned. */
  pitchMost: 22,
  /** Fine detail over coarse detail below which a photo is blurred. */
  sharpnessLeast: 0.1,
  /** Median luma of the skin, 0..1, below which a photo is dark. */
  darkBelow: 0.16,
  /** Luma, 0..1, from which skin is burnt out. */
  burntFrom: 0.95,
  /** Share of the skin, 0..1, that may be burnt out. */
  burntMost: 0.08,
  /** Natural log of luma between the halves of the face beyond which the light is uneven. */
  unevenFrom: 0.7,
  /** Share of the skin, 0..1, that may be covered. */
  coveredMost: 0.04,
  /** Share of the points, 0..1, that may lie beyond the picture's edge. */
  beyondMost: 0.02,
  /** Mean chroma of the skin off grey, in steps of 1/255, below which a photo has no colour. */
  chromaLeast: 4,
};

/** Values of the flaws that an experiment may set anew; see `PHOTO_QUALITY_TUNING` for units and ranges. */
export type PhotoQualityTuning = Readonly<typeof PHOTO_QUALITY_TUNING>;

/** What a photo shows of a face. */
export interface PhotoQuality {
  /** Pixels between the outer corners of the eyes. */
  eyesApart: number;
  /** Degrees to the side and up or down, either way. */
  yawDegrees: number;
  pitchDegrees: number;
  /** Fine detail over coarse detail, at a size at which the eyes' outer corners are at most 96 pixels apart. */
  sharpness: number;
  /** Median luma of the skin, 0..1. */
  luma: number;
  /** Share of the skin that is burnt out, 0..1. */
  burnt: number;
  /** Natural log of luma between the halves of the face, either way. */
  unevenness: number;
  /** Share of the skin that is covered, 0..1: hair, glasses, a microphone. */
  covered: number;
  /** Share of the face beyond the picture's edge, 0..1. */
  beyond: number;
  /** Mean chroma of the skin off grey, in steps of 1/255. */
  chroma: number;
}

/** Rings of the mesh from the rim from which a point tells about the skin: hair may lie over the outer ones. */
const INNER_RING = 3;
/** Least cosine to the camera of a point that tells about the skin. */
const SEEN_LEAST = 0.35;
/** Pixels between the eyes' outer corners at which sharpness is measured, or fewer in a smaller photo. */
const SHARPNESS_EYES = 96;

/** What `measurePhoto` needs beside the photo. */
export interface PhotoQualityParts {
  topology: Topology;
  /** As `skinWeights` returns it. */
  skinWeights: Float32Array;
  map: FaceMap;
  /** Null leaves out what covers the face. */
  segmenter: OccluderSegmenter | null;
  tuning: PhotoQualityTuning;
}

/** Measures a photo. */
export async function measurePhoto(
  portrait: Portrait,
  { topology, skinWeights, segmenter, map, tuning }: PhotoQualityParts,
): Promise<PhotoQuality> {
  const { picture, points } = portrait;
  const at = (i: number): [number, number] => [points[3 * i]!, points[3 * i + 1]!];
  const [right, left] = [at(EYE_OUTER_RIGHT), at(EYE_OUTER_LEFT)];
  const eyesApart = Math.hypot(left[0] - right[0], left[1] - right[1]);
  const { yawDegrees, pitchDegrees } = poseOf(points, topology);
  const isBeyond = (i: number): boolean => {
    const [x, y] = at(i);
    return x < 0 || y < 0 || x >= picture.width || y >= picture.height;
  };
  const seen = facing(points, topology).map((cosine, i) => (isBeyond(i) ? 0 : cosine));
  const atlas = paintAtlas([portrait], topology);
  const colours = atlasColours(atlas, atlasPoints(topology));
  const occluded = await segmenter?.segment(map.listed(atlas));

  const { burntFrom } = tuning;
  const told = Array.from({ length: POINTS }, (_, i) => i).filter(
    (i) => skinWeights[i]! > 0 && topology.ring[i]! >= INNER_RING && seen[i]! > SEEN_LEAST,
  );
  const luma = (i: number): number => (colours[3 * i]! - BLACK) / 219;
  const share = (is: (i: number) => boolean): number => told.filter(is).length / Math.max(1, told.length);
  const half = (side: number): number => {
    const points = told.filter((i) => side * topology.vertices[3 * i]! > 1);
    return points.reduce((sum, i) => sum + Math.log(Math.max(0, luma(i)) + 0.04), 0) / Math.max(1, points.length);
  };
  const chroma = (i: number): number => Math.hypot(colours[3 * i + 1]! - GREY, colours[3 * i + 2]! - GREY);
  return {
    eyesApart,
    yawDegrees: Math.abs(yawDegrees),
    pitchDegrees: Math.abs(pitchDegrees),
    sharpness: sharpnessOf(picture, points, eyesApart),
    luma: told.map(luma).sort((a, b) => a - b)[told.length >> 1] ?? 0,
    burnt: share((i) => luma(i) > burntFrom),
    unevenness: Math.abs(half(1) - half(-1)),
    covered: occluded === undefined ? 0 : map.texels.filter((t) => occluded[t]! > 0.5).length / map.texels.length,
    beyond: Array.from({ length: POINTS }, (_, i) => i).filter(isBeyond).length / POINTS,
    chroma: told.reduce((sum, i) => sum + chroma(i), 0) / Math.max(1, told.length),
  };
}

/** What is wrong with a photo, the gravest first; empty for a good one. */
export function flawsOf(quality: PhotoQuality, tuning: PhotoQualityTuning = PHOTO_QUALITY_TUNING): PhotoFlaw[] {
  const flaws: [PhotoFlaw, boolean][] = [
    ['cut-off', quality.beyond > tuning.beyondMost],
    ['covered', quality.covered > tuning.coveredMost],
    ['turned', quality.yawDegrees > tuning.yawMost || quality.pitchDegrees > tuning.pitchMost],
    ['small', quality.eyesApart < tuning.smallBelow],
    ['blurred', quality.sharpness < tuning.sharpnessLeast],
    ['dark', quality.luma < tuning.darkBelow],
    ['burnt-out', quality.burnt > tuning.burntMost],
    ['uneven-light', quality.unevenness > tuning.unevenFrom],
    ['colourless', quality.chroma < tuning.chromaLeast],
  ];
  return flaws.filter(([, is]) => is).map(([flaw]) => flaw);
}

/**
 * Fine detail over coarse detail of the luma about the eyes and the nose: what differs from the mean of the direct
 * neighbours, over what differs from that of neighbours four times as far.
 */
function sharpnessOf(picture: Frame, points: Float32Array, eyesApart: number): number {
  const step = Math.max(1, eyesApart / SHARPNESS_EYES);
  const side = Math.round((1.6 * eyesApart) / step);
  const sample = photoSampler(picture, 0);
  const [x0, y0] = [points[3 * NOSE_BRIDGE]! - (side / 2) * step, points[3 * NOSE_BRIDGE + 1]! - (side / 3) * step];
  const luma = new Float32Array(side * side);
  const taps = Math.max(1, Math.round(step));
  for (let p = 0; p < luma.length; p++) {
    const [x, y] = [x0 + (p % side) * step, y0 + Math.floor(p / side) * step];
    let sum = 0;
    for (let k = 0; k < taps * taps; k++)
      sum += sample(x + ((k % taps) * step) / taps, y + (Math.floor(k / taps) * step) / taps);
    luma[p] = sum / (taps * taps);
  }
  let [fine, coarse] = [0, 0];
  for (let y = 4; y < side - 4; y++) {
    for (let x = 4; x < side - 4; x++) {
      const p = y * side + x;
      const against = (d: number): number =>
        Math.abs(luma[p]! - (luma[p - d]! + luma[p + d]! + luma[p - d * side]! + luma[p + d * side]!) / 4);
      fine += against(1);
      coarse += against(4);
    }
  }
  return coarse === 0 ? 0 : fine / coarse;
}

const NOSE_BRIDGE = 6;
