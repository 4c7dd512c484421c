/** The 478 landmarks of one face. */

import { FaceOffError } from '../../shared/errors.ts';
import { boundsOf, cropToFrame, type Square, squareAbout } from '../../shared/geometry.ts';
import type { Frame } from '../../shared/types.ts';
import type { ModelSession } from '../inference/model-session.ts';
import type { FrameRegion } from '../kernels/frame-region.ts';
import type { Kernels } from '../kernels/kernels.ts';
import { ALL_POINTS, EYE_OUTER_LEFT, EYE_OUTER_RIGHT, POINTS } from './topology.ts';

/** Side of the model's input, in pixels. */
export const CROP = 192;
/** Side of the model's square as a multiple of the face's extent, as MediaPipe has it. */
const MARGIN = 1.5;
/** Pixels loaded around the square, for the samples at its edge. */
const REGION_MARGIN = 2;

/** Where the landmark model saw a face in one frame, and what it saw. */
export interface FaceSight {
  /** The part of the frame about the face. Stale, and the crop with it, once the lane loads another. */
  region: FrameRegion;
  /** The square that the model was shown. */
  square: Square;
  /** What the model was shown: RGB 0..1, [192, 192, 3], in kernel memory. */
  crop: Float32Array;
  /** Whether the face's picture is that of an earlier frame: nothing is to be learned from it. */
  isRepeat: boolean;
}

/** What the landmark model found in one square. */
export interface Landmarks {
  /** x, y, z of 478 points in pixels of the frame; z grows away from the camera, in the same scale as x and y. */
  points: Float32Array;
  /** The model's certainty that the square shows a face, 0..1. */
  presence: number;
  sight: FaceSight;
}

/** Finds landmarks in a square, by MediaPipe's attention mesh (Grishchenko et al. 2020). Runs in the lane's mutex. */
export class Landmarker {
  readonly #session: ModelSession;
  readonly #kernels: Kernels;

  /**
   * @param session role face-mesh: image [1,192,192,3] RGB 0..1 → landmarks [1,478,3] in pixels of the crop,
   *   presence.
   */
  constructor(session: ModelSession, kernels: Kernels) {
    this.#session = session;
    this.#kernels = kernels;
  }

  /** Loads the part of the frame about a square; null where the square lies outside of the frame. */
  load(frame: Frame, square: Square): FrameRegion | null {
    const rect = boundsOf(square, REGION_MARGIN, frame.width, frame.height);
    return rect === null ? null : this.#kernels.load(frame, rect);
  }

  /**
   * Makes the sight of a square anew, after the lane has loaded something else.
   * @throws FaceOffError `kernel_order` when the square lies outside of the frame, so cannot have been seen before.
   */
  reload(frame: Frame, square: Square): FaceSight {
    const region = this.load(frame, square);
    if (region === null) throw new FaceOffError('kernel_order', 'The face to load again lies outside of the frame.');
    return this.#show(region, square);
  }

  /** Runs the model on a square of a region. The sight's crop is overwritten by the next call. */
  async find(region: FrameRegion, square: Square): Promise<Landmarks> {
    const sight = this.#show(region, square);
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
    return { points, presence: 1 / (1 + Math.exp(-this.#session.outputs.presence![0]!)), sight };
  }

  /** Puts a square into the model's input. */
  #show(region: FrameRegion, square: Square): FaceSight {
    const crop = this.#session.inputs.image!;
    region.crop(square, { values: crop, n: CROP });
    return { region, square, crop, isRepeat: false };
  }
}

/** The square to look for a face in whose points are known. @param points x, y, z of at least 468. */
export function squareOf(points: Float32Array): Square {
  return squareAbout(points, {
    count: POINTS,
    stride: 3,
    from: EYE_OUTER_RIGHT,
    to: EYE_OUTER_LEFT,
    grow: MARGIN,
  });
}
