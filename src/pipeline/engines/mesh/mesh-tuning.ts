import { SAMPLER_TUNING } from './colour-sampler.ts';
import { IRIS_TUNING } from './iris.ts';
import { RELIGHT_TUNING } from './light/relight-tuning.ts';
import { OCCLUSION_TUNING } from './occlusion/occlusion-tuning.ts';
import { WORN_TUNING } from './occlusion/worn-occluders.ts';
import { SHAPE_TUNING } from './shape.ts';
import { SHAPE_DIFFERENCE_TUNING } from './shape-difference.ts';
import { ATLAS_TUNING } from './source/atlas.ts';
import { DELIGHT_TUNING } from './source/delight.ts';
import { MERGE_TUNING } from './source/merge-views.ts';
import { EXPRESSION_TUNING } from './source/neutralise-expression.ts';
import { OPACITY_TUNING } from './source/opacity.ts';
import { PHOTO_LIGHT_TUNING } from './source/photo-light.ts';
import { PHOTO_QUALITY_TUNING } from './source/photo-quality.ts';
import { SKIN_TUNING } from './source/skin-segmentation.ts';
import { SWAPPER_TUNING, TEXTURE_TUNING } from './swapper-tuning.ts';

/**
 * Every value that tunes how a swap of the mesh engine looks, by stage. An experiment passes a changed copy to
 * `MeshEngine`; faces have to be enrolled anew for `atlas`, `skin`, `delight`, `expression`, `opacity.mirrored` and
 * `sampler.atlasRadius`.
 */
export const MESH_TUNING = {
  atlas: ATLAS_TUNING,
  skin: SKIN_TUNING,
  merge: MERGE_TUNING,
  photoLight: PHOTO_LIGHT_TUNING,
  photoQuality: PHOTO_QUALITY_TUNING,
  delight: DELIGHT_TUNING,
  expression: EXPRESSION_TUNING,
  opacity: OPACITY_TUNING,
  sampler: SAMPLER_TUNING,
  iris: IRIS_TUNING,
  shape: SHAPE_TUNING,
  shapeDifference: SHAPE_DIFFERENCE_TUNING,
  occlusion: OCCLUSION_TUNING,
  worn: WORN_TUNING,
  relight: RELIGHT_TUNING,
  texture: TEXTURE_TUNING,
  swapper: SWAPPER_TUNING,
};

/** Values of all stages; see each stage's constant for units and ranges. */
export type MeshTuning = Readonly<typeof MESH_TUNING>;
