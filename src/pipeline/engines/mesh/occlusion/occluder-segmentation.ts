import { rgbOf } from '../../../../shared/i420.ts';
import type { ModelSession } from '../../../inference/model-session.ts';
import { type FaceMap, MAP_TEXELS } from './face-map.ts';

/**
 * Tells what is in front of a face by what it is, not by its movement: glasses, strands of hair, a fringe, a headset, a
 * microphone. A network sees the map of the live face (training/occluder.py). One instance a lane, used by every face
 * in turn; runs in the lane worker.
 */
export class OccluderSegmenter {
  readonly #session: ModelSession;
  readonly #map: FaceMap;

  /** @param session role occluder: image [1,64,64,3] RGB 0..1, a face unwrapped → occluded [1,64,64], 0..1. */
  constructor(session: ModelSession, map: FaceMap) {
    this.#session = session;
    this.#map = map;
  }

  /**
   * How surely each texel of the map shows an occluder, 0..1: [64, 64], overwritten by the next call.
   * @param colours Y, U, V of each texel of the map's list, 0..255.
   * @throws FaceOffError `out_of_memory`, `model_unusable`.
   */
  async segment(colours: Float32Array): Promise<Float32Array> {
    const image = this.#session.inputs.image!;
    const { texels } = this.#map;
    const mean = [0, 0, 0];
    for (let k = 0; k < texels.length; k++) {
      const rgb = rgbOf(colours[3 * k]!, colours[3 * k + 1]!, colours[3 * k + 2]!);
      image.set(rgb, 3 * texels[k]!);
      for (let c = 0; c < 3; c++) mean[c]! += rgb[c]! / texels.length;
    }
    // What is no skin (eyes, mouth, outside) tells nothing.
    for (let t = 0; t < MAP_TEXELS; t++) if (this.#map.isListed[t] === 0) image.set(mean, 3 * t);
    await this.#session.run();
    return this.#session.outputs.occluded!;
  }
}
