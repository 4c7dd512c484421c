/** Tells where a person is in a frame. */

import type { ModelSession } from '../inference/model-session.ts';
import type { BackgroundCanvas, PersonMask } from '../kernels/background-canvas.ts';

/** The network's picture, in pixels. */
export const MASK_SIZE = { width: 256, height: 160 } as const;

/** One instance a lane, used by every stream in turn; runs in the lane worker. */
export class PersonSegmenter {
  readonly #session: ModelSession;

  /** @param session role person-segmenter: image [1,160,256,3] RGB 0..1, the whole frame → person [1,160,256], 0..1. */
  constructor(session: ModelSession) {
    this.#session = session;
  }

  /**
   * The mask of the picture that a canvas holds; overwritten by the next call.
   * @throws FaceOffError `out_of_memory`, `model_unusable`.
   */
  async segment(canvas: BackgroundCanvas): Promise<PersonMask> {
    canvas.sample(this.#session.inputs.image!, MASK_SIZE);
    await this.#session.run();
    return { values: this.#session.outputs.person!, ...MASK_SIZE };
  }
}
