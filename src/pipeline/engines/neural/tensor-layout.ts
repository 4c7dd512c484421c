/** Converts a profile's picture form (layout, channel order, mean and std) to kernel parameters. */

import type { Layout, Range } from '../../kernels/kernels.ts';
import type { GeneratorProfile, PictureForm } from '../../models/profiles.ts';

/** Byte strides of an n x n picture: between pixels, and offsets of the first red, green and blue. */
export function layoutOf({ layout, order }: Pick<PictureForm, 'layout' | 'order'>, n: number): Layout {
  const channel = layout === 'nchw' ? 4 * n * n : 4;
  const [r, b] = order === 'rgb' ? [0, 2 * channel] : [2 * channel, 0];
  return { pixel: layout === 'nchw' ? 4 : 12, r, g: channel, b };
}

/** Gain and bias from colours 0..1 to the model's values, for R, G, B. */
export function rangeOf({ mean, std }: Pick<PictureForm, 'mean' | 'std'>): Range {
  return {
    gain: [1 / std[0], 1 / std[1], 1 / std[2]],
    bias: [-mean[0] / std[0], -mean[1] / std[1], -mean[2] / std[2]],
  };
}

/** Rows: Y, U, V of R, of G, of B (each 0..1), and the constant; BT.601, limited range. */
export const TO_YUV = [
  [65.481, -37.797, 112],
  [128.553, -74.203, -93.786],
  [24.966, 112, -18.214],
  [16, 128, 128],
] as const;

/** A colour correction of Y, U and V: value · gain + offset. */
export interface Correction {
  gain: readonly [number, number, number];
  offset: readonly [number, number, number];
}

/** The identity. */
export const NO_CORRECTION: Correction = { gain: [1, 1, 1], offset: [0, 0, 0] };

/** Fills the 4 x 4 matrix of `Kernels.texels`: from a model's values to corrected Y, U, V. */
export function yuvMatrix(output: GeneratorProfile['output'], { gain, offset }: Correction, into: Float32Array): void {
  for (let k = 0; k < 3; k++) {
    let constant = TO_YUV[3][k]!;
    for (let c = 0; c < 3; c++) {
      into[4 * c + k] = gain[k]! * TO_YUV[c]![k]! * output.std[c]!;
      constant += TO_YUV[c]![k]! * output.mean[c]!;
    }
    into[12 + k] = gain[k]! * constant + offset[k]!;
  }
}
