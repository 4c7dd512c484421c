import { POINTS, type Topology } from '../../../face/topology.ts';
import type { Portrait } from '../../engine.ts';
import { atlasColours } from '../colour-sampler.ts';
import { type IrisColour, type IrisTuning, irisColourOf } from '../iris.ts';
import type { MeshTuning } from '../mesh-tuning.ts';
import { type AtlasTuning, paintAtlas } from './atlas.ts';
import { ATLAS, atlasPoints, type Planes } from './atlas-layout.ts';
import { delight } from './delight.ts';
import { blurred, blurredPlane } from './gaussian-blur.ts';
import { foldShares, neutraliseExpression, smileOf } from './neutralise-expression.ts';
import { bestViews } from './opacity.ts';
import type { PhotoLight } from './photo-light.ts';
import { areasOf, findOutliers } from './skin-segmentation.ts';

/** Softness levels of the atlas, half an octave apart. */
export const SOFTNESS_LEVELS = 9;

/** A source face ready to be drawn by the mesh engine. Plain data, so it can be sent to any lane. */
export interface MeshFace {
  /** The atlas at growing softness: level k is what a camera sees from 2^(k/2) times further away. */
  levels: Planes[];
  /** The smile of the best photo; null where that photo does not smile. */
  smile: Smile | null;
  /** Mean Y, U, V around each of the 468 points. */
  colours: Float32Array;
  /** x, y, z of the 468 points in pixels of the best photo. */
  shape: Float32Array;
  /** The iris colour of the first photo that tells it; null where none does. */
  iris: IrisColour | null;
  /** Cosine to the camera at which the best photo saw each of the 468 points, 0..1. */
  views: Float32Array;
}

/** What a smile has left in the texture of a source face. */
export interface Smile {
  /** How broad it is, 0..1. */
  breadth: number;
  /** Texels of the atlas's luma where it shows in any level. */
  texels: Uint32Array;
  /** For each level, luma of those texels without the smile's folds. */
  neutral: Uint8Array[];
}

/** What `createMeshFace` needs beside the photos. */
export interface MeshFaceParts {
  topology: Topology;
  tuning: MeshTuning;
  /** Null leaves the photo's light on, but for what `delight` finds. */
  photoLight: PhotoLight | null;
}

/** Makes a source face from photos, the best one first. Runs once a face, at enrolment. */
export async function createMeshFace(
  portraits: Portrait[],
  { topology, tuning, photoLight }: MeshFaceParts,
): Promise<MeshFace> {
  const points = atlasPoints(topology);
  const areas = areasOf(topology, points, tuning.skin);
  const atlas = paintAtlas(portraits, topology, tuning.atlas, tuning.merge);
  await photoLight?.remove(atlas, tuning.photoLight);
  delight(atlas, areas, findOutliers(atlas, areas, tuning.skin), tuning.delight);
  sharpenLuma(atlas.y, tuning.atlas);
  const levels = Array.from({ length: SOFTNESS_LEVELS }, (_, k) =>
    k === 0 ? atlas : blurred(atlas, ATLAS, sigmaOf(k)),
  );
  const breadth = smileOf(portraits[0]!.points, tuning.expression);
  const neutral = (): Uint8Array =>
    neutraliseExpression(atlas.y, areas, foldShares(topology, points, tuning.expression), tuning.expression);
  return {
    levels,
    smile: breadth === 0 ? null : smileIn(levels, breadth, neutral()),
    colours: atlasColours(atlas, points, tuning.sampler),
    shape: portraits[0]!.points.slice(0, POINTS * 3),
    iris: firstIrisColour(portraits, tuning.iris),
    views: bestViews(portraits, topology, tuning.opacity),
  };
}

function firstIrisColour(portraits: Portrait[], tuning: IrisTuning): IrisColour | null {
  for (const { picture, points } of portraits) {
    const colour = irisColourOf(picture, points, tuning);
    if (colour !== null) return colour;
  }
  return null;
}

/** Unsharp masking, in place. */
function sharpenLuma(luma: Uint8Array, { sharpenSigma, sharpenShare }: AtlasTuning): void {
  const soft = blurredPlane(luma, ATLAS, sharpenSigma);
  for (let p = 0; p < luma.length; p++)
    luma[p] = Math.round(Math.min(255, Math.max(0, luma[p]! + sharpenShare * (luma[p]! - soft[p]!))));
}

/** Finds where the levels differ from those of the neutral luma. */
function smileIn(levels: Planes[], breadth: number, neutral: Uint8Array): Smile {
  const planes = levels.map((_, k) => (k === 0 ? neutral : blurredPlane(neutral, ATLAS, sigmaOf(k))));
  const isChanged = (texel: number): boolean => planes.some((plane, k) => plane[texel] !== levels[k]!.y[texel]);
  const texels = Uint32Array.from(neutral.keys()).filter(isChanged);
  return { breadth, texels, neutral: planes.map((plane) => Uint8Array.from(texels, (texel) => plane[texel]!)) };
}

/** Standard deviation of a level's blur, in pixels of the atlas. */
const sigmaOf = (level: number): number => 0.5 * Math.sqrt(2 ** level - 1);
