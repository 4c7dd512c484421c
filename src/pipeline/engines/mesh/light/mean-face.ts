import { POINTS } from '../../../face/topology.ts';
import data from './mean-face.json' with { type: 'json' };

/** Values of mean-face.json are integers in these steps. */
const STEP = 1e-4;

/**
 * What faces have in common: the median of public-domain portraits at each of 468 points, each less the light fitted
 * to it (training/mean-face.ts makes mean-face.json).
 */
export interface MeanFace {
  /** Natural log of luma, and U and V off grey per luma, [468, 3]; see `relativeColours`. */
  colours: Float32Array;
}

/** The mean face of the portraits. */
export const MEAN_FACE: MeanFace = {
  colours: Float32Array.from({ length: POINTS * 3 }, (_, i) => STEP * data.mean[i]!),
};
