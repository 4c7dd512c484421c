/** Identity embeddings: which person a face is. */

import { squareAbout } from '../../shared/geometry.ts';
import type { ModelSession } from '../inference/model-session.ts';
import type { FrameRegion } from '../kernels/frame-region.ts';
import { EYE_OUTER_LEFT, EYE_OUTER_RIGHT, POINTS } from './topology.ts';

/** Side of the model's input, in pixels. */
const SIDE = 150;
/** Side of the crop as a multiple of the mesh's extent, as the model's training pictures were cut. */
const MARGIN = 1.25;

/** Distance of two embeddings, 0 and up, under which they are the same person. */
export const SAME_PERSON = 0.46;

/** Computes dlib's 128-number embedding (King 2017, as face-api ships it). Runs in the lane's mutex. */
export class Embedder {
  readonly #session: ModelSession;

  /** @param session role face-embedder: image [1,150,150,3] RGB 0..255 → embedding [1,128]. */
  constructor(session: ModelSession) {
    this.#session = session;
  }

  /**
   * The embedding of a face in a region, 128 numbers.
   * @param points x, y, z of at least 468, in pixels of the frame.
   * @throws FaceOffError `kernel_order` when the region is stale.
   */
  async embed(region: FrameRegion, points: Float32Array): Promise<Float32Array> {
    const square = squareAbout(points, POINTS, 3, EYE_OUTER_RIGHT, EYE_OUTER_LEFT, MARGIN);
    region.crop(square, { values: this.#session.inputs.image!, n: SIDE }, 255);
    await this.#session.run();
    return this.#session.outputs.embedding!.slice();
  }
}

/** Euclidean distance of two embeddings. */
export function distance(p: Float32Array, q: Float32Array): number {
  return Math.sqrt(p.reduce((sum, value, i) => sum + (value - q[i]!) ** 2, 0));
}
