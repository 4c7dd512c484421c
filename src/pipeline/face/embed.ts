/** Who a face is: dlib's 128 numbers (King 2017, as face-api ships them). */

import { squareAbout } from '../../shared/geometry.ts';
import type { ModelSession } from '../inference/model-session.ts';
import type { Kernels } from '../kernels/kernels.ts';
import { EYE_OUTER_LEFT, EYE_OUTER_RIGHT, POINTS } from './topology.ts';

const SIDE = 150;
/** How much more than the mesh's extent the model wants to see: its training pictures were cut so. */
const MARGIN = 1.25;

/** Distance under which two embeddings are the same person. */
export const SAME_PERSON = 0.46;

export class Embedder {
  readonly #session: ModelSession;
  readonly #kernels: Kernels;

  /** @param session role face-embedder: image [1,150,150,3] RGB 0..255 → embedding [1,128]. */
  constructor(session: ModelSession, kernels: Kernels) {
    this.#session = session;
    this.#kernels = kernels;
  }

  /** @param points of a face in the part of the frame that is loaded in the kernels. */
  async embed(points: Float32Array): Promise<Float32Array> {
    const square = squareAbout(points, {
      count: POINTS,
      stride: 3,
      from: EYE_OUTER_RIGHT,
      to: EYE_OUTER_LEFT,
      grow: MARGIN,
    });
    this.#kernels.crop(square, SIDE, this.#session.inputs.image!, 255, 0);
    await this.#session.run();
    return this.#session.outputs.embedding!.slice();
  }
}

/** Euclidean distance of two embeddings. */
export function distance(p: Float32Array, q: Float32Array): number {
  return Math.sqrt(p.reduce((sum, value, i) => sum + (value - q[i]!) ** 2, 0));
}
