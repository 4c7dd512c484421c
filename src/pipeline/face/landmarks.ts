/** The 478 points of one face, by MediaPipe's attention mesh (Grishchenko et al. 2020). */

import { boundsOf, cropToFrame, type Square, squareAbout } from '../../shared/geometry.ts';
import type { Frame } from '../../shared/types.ts';
import type { ModelSession } from '../inference/model-session.ts';
import type { Kernels } from '../kernels/kernels.ts';
import { ALL_POINTS, EYE_OUTER_LEFT, EYE_OUTER_RIGHT, POINTS } from './topology.ts';

/** Side of the model's input, in pixels. */
export const CROP = 192;
/** How much more than the face the model wants to see around it. */
const MARGIN = 1.5;
/** Extra pixels loaded around the square that is looked at. */
export const REGION_MARGIN = 2;

export interface Landmarks {
  /** x, y, z of 478 points in pixels of the frame; z grows away from the camera and is as long as x and y. */
  points: Float32Array;
  /** The model's certainty that it looks at a face, 0..1. */
  presence: number;
}

export class Landmarker {
  readonly #session: ModelSession;
  readonly #kernels: Kernels;

  /** @param session role face-mesh: image [1,192,192,3] RGB 0..1 → landmarks [1,478,3] in pixels of the crop, presence. */
  constructor(session: ModelSession, kernels: Kernels) {
    this.#session = session;
    this.#kernels = kernels;
  }

  /** What the model saw last: RGB 0..1, [192, 192, 3], in kernel memory. */
  get crop(): Float32Array {
    return this.#session.inputs.image!;
  }

  /** Loads the part of the frame about a square that was looked at before, and crops it again. */
  reload(frame: Frame, square: Square): void {
    const rect = boundsOf(square, REGION_MARGIN, frame.width, frame.height);
    if (rect === null) return;
    this.#kernels.load(frame, rect);
    this.#kernels.crop(square, CROP, this.crop, 1, 0);
  }

  /** Looks at a square of the part of the frame that is loaded in the kernels. */
  async find(square: Square): Promise<Landmarks> {
    this.#kernels.crop(square, CROP, this.crop, 1, 0);
    await this.#session.run();
    const raw = this.#session.outputs.landmarks!;
    const { a, b, tx, ty } = cropToFrame(square, CROP);
    const depth = square.side / CROP;
    const points = new Float32Array(ALL_POINTS * 3);
    for (let i = 0; i < points.length; i += 3) {
      const x = raw[i]!;
      const y = raw[i + 1]!;
      points[i] = a * x - b * y + tx;
      points[i + 1] = b * x + a * y + ty;
      points[i + 2] = raw[i + 2]! * depth;
    }
    return { points, presence: 1 / (1 + Math.exp(-this.#session.outputs.presence![0]!)) };
  }
}

/** Where to look for a face whose points are known. */
export function squareOf(points: Float32Array): Square {
  return squareAbout(points, {
    count: POINTS,
    stride: 3,
    from: EYE_OUTER_RIGHT,
    to: EYE_OUTER_LEFT,
    grow: MARGIN,
  });
}
