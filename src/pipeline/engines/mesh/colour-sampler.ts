/** Mean colours about the mesh points, of the live face and of a source's atlas, in Y, U, V (0..255, BT.601). */

import { cropToFrame, inverse } from '../../../shared/geometry.ts';
import { CROP } from '../../face/landmarks.ts';
import { POINTS } from '../../face/topology.ts';
import type { Kernels } from '../../kernels/kernels.ts';
import type { LiveFace } from '../engine.ts';
import { ATLAS, type Planes } from './source/atlas.ts';

/** Half side of the square a colour is the mean of: in pixels of the 192 crop, and of the atlas. */
const RADIUS = 3;
const ATLAS_RADIUS = 12;

export class ColourSampler {
  readonly #kernels: Kernels;
  readonly #colours: Float32Array;
  /** Where the mesh points lie in the crop, x, y of 468; set by `place`. */
  readonly points: Float32Array;

  constructor(kernels: Kernels) {
    this.#kernels = kernels;
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

  /** Colours of the live face that was placed last, into a buffer that the next call overwrites. */
  live(crop: Float32Array): Float32Array {
    const colours = this.#colours;
    const points = { values: this.points, stride: 2, radius: RADIUS };
    this.#kernels.meansAt({ values: crop, n: CROP }, points, colours);
    for (let i = 0; i < colours.length; i += 3) {
      const [r, g, b] = [colours[i]!, colours[i + 1]!, colours[i + 2]!];
      colours[i] = 16 + 65.481 * r + 128.553 * g + 24.966 * b;
      colours[i + 1] = 128 - 37.797 * r - 74.203 * g + 112 * b;
      colours[i + 2] = 128 + 112 * r - 93.786 * g - 18.214 * b;
    }
    return colours;
  }

  /** @param points x, y of 468 in pixels of the atlas. */
  atlas({ y, u, v }: Planes, points: Float32Array): Float32Array {
    const colours = new Float32Array(POINTS * 3);
    for (let i = 0; i < POINTS; i++) {
      const [px, py] = [points[2 * i]!, points[2 * i + 1]!];
      colours[3 * i] = boxMean(y, ATLAS, px, py, ATLAS_RADIUS);
      colours[3 * i + 1] = boxMean(u, ATLAS / 2, px / 2, py / 2, ATLAS_RADIUS / 2);
      colours[3 * i + 2] = boxMean(v, ATLAS / 2, px / 2, py / 2, ATLAS_RADIUS / 2);
    }
    return colours;
  }
}

function boxMean(plane: Uint8Array, size: number, x: number, y: number, radius: number): number {
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
