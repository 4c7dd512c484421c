/**
 * Mean colours around the mesh points, of the live face and of a source's atlas, in Y, U, V (0..255, BT.601 limited
 * range).
 */

import { cropToFrame, inverse } from '../../../shared/geometry.ts';
import { CROP } from '../../face/landmarks.ts';
import { POINTS } from '../../face/topology.ts';
import type { Kernels } from '../../kernels/kernels.ts';
import type { LiveFace } from '../engine.ts';
import { ATLAS, type Planes } from './source/atlas-layout.ts';

/** Tuning of the sampling: half sides of the square around a point that its colour is the mean of. Hand-tuned. */
export const SAMPLER_TUNING = {
  /** Of the live face; pixels of the 192×192 crop, 0 or more. */
  cropRadius: 3,
  /** Of a source; luma pixels of the atlas, even, 0 or more. */
  atlasRadius: 12,
};

/** Values of the sampling that an experiment may set anew; see `SAMPLER_TUNING` for units and ranges. */
export type SamplerTuning = Readonly<typeof SAMPLER_TUNING>;

/** Samples the colours of live faces, one face at a time; one instance a lane. */
export class ColourSampler {
  readonly #kernels: Kernels;
  readonly #tuning: SamplerTuning;
  readonly #colours: Float32Array;
  /** Where the mesh points lie in the crop, x, y of 468 in pixels, in kernel memory; set by `place`. */
  readonly points: Float32Array;

  constructor(kernels: Kernels, tuning: SamplerTuning = SAMPLER_TUNING) {
    this.#kernels = kernels;
    this.#tuning = tuning;
    this.points = kernels.floats(POINTS * 2);
    this.#colours = kernels.floats(POINTS * 3);
  }

  /** Finds the points of a live face in its crop. */
  place({ points, square }: LiveFace): void {
    const back = inverse(cropToFrame(square, CROP));
    for (let i = 0; i < POINTS; i++) {
      const x = points[3 * i]!;
      const y = points[3 * i + 1]!;
      this.points[2 * i] = back.a * x - back.b * y + back.tx;
      this.points[2 * i + 1] = back.b * x + back.a * y + back.ty;
    }
  }

  /**
   * Mean Y, U, V at each of 468 points of the live face that was placed last, into a buffer that the next call
   * overwrites.
   * @param crop RGB 0..1, [192, 192, 3], in kernel memory.
   */
  live(crop: Float32Array): Float32Array {
    const colours = this.#colours;
    const points = { values: this.points, stride: 2, radius: this.#tuning.cropRadius };
    this.#kernels.meansAt({ values: crop, n: CROP }, points, colours);
    for (let i = 0; i < colours.length; i += 3) {
      const [r, g, b] = [colours[i]!, colours[i + 1]!, colours[i + 2]!];
      colours[i] = 16 + 65.481 * r + 128.553 * g + 24.966 * b;
      colours[i + 1] = 128 - 37.797 * r - 74.203 * g + 112 * b;
      colours[i + 2] = 128 + 112 * r - 93.786 * g - 18.214 * b;
    }
    return colours;
  }
}

/** Mean Y, U, V at each of 468 points of an atlas. @param points x, y of 468 in pixels of the atlas. */
export function atlasColours(
  { y, u, v }: Planes,
  points: Float32Array,
  { atlasRadius }: SamplerTuning = SAMPLER_TUNING,
): Float32Array {
  const luma: BoxPlane = { plane: y, size: ATLAS, radius: atlasRadius };
  const chroma = [u, v].map((plane): BoxPlane => ({ plane, size: ATLAS / 2, radius: atlasRadius / 2 }));
  const colours = new Float32Array(POINTS * 3);
  for (let i = 0; i < POINTS; i++) {
    const px = points[2 * i]!;
    const py = points[2 * i + 1]!;
    colours[3 * i] = meanAround(luma, px, py);
    colours[3 * i + 1] = meanAround(chroma[0]!, px / 2, py / 2);
    colours[3 * i + 2] = meanAround(chroma[1]!, px / 2, py / 2);
  }
  return colours;
}

/** A square plane of `size` pixels a side, and half the side of the boxes that means are taken of. */
interface BoxPlane {
  plane: Uint8Array;
  size: number;
  radius: number;
}

function meanAround({ plane, size, radius }: BoxPlane, x: number, y: number): number {
  let sum = 0;
  let count = 0;
  for (let j = Math.max(0, Math.floor(y) - radius); j <= Math.min(size - 1, Math.floor(y) + radius); j++) {
    for (let i = Math.max(0, Math.floor(x) - radius); i <= Math.min(size - 1, Math.floor(x) + radius); i++) {
      sum += plane[j * size + i]!;
      count++;
    }
  }
  return sum / count;
}
