import { rgbOf } from '../../../../shared/i420.ts';
import type { ModelSession } from '../../../inference/model-session.ts';
import { ATLAS, BLACK, GREY, type Planes } from './atlas-layout.ts';
import { enlarged, GRID, shrink } from './texel-grid.ts';

/** Added to R, G, B, 0..1, before the logarithm, as the network was trained. */
const FLOOR = 0.04;

/** Tuning of what is taken off the photo's light. */
export const PHOTO_LIGHT_TUNING = {
  /** Share of the light that is taken off, 0..1. */
  removed: 1,
  /**
   * Correction, natural log, of which half is applied; 0 or more. Weak, soft shading is how a face is known; what is
   * strong is a shadow or a glint.
   */
  half: 0.2,
};

/** Values of the light's removal that an experiment may set anew; see `PHOTO_LIGHT_TUNING`. */
export type PhotoLightTuning = Readonly<typeof PHOTO_LIGHT_TUNING>;

/**
 * Takes the photo's own light off a source face: shading, cast shadows with hard edges, glints, lamps of two colours.
 * A network sees the atlas and says by how much each texel is to be lit otherwise (training/delight.py); what is the
 * same all over the face is left to the relighting. Runs in the lane worker, once a face.
 */
export class PhotoLight {
  readonly #session: ModelSession;

  /** @param session role delight: image [1,128,128,3] RGB 0..1 → correction [1,128,128,3], natural log. */
  constructor(session: ModelSession) {
    this.#session = session;
  }

  /** Changes the planes of an atlas in place. @throws FaceOffError `out_of_memory`, `model_unusable`. */
  async remove(planes: Planes, { removed, half }: PhotoLightTuning = PHOTO_LIGHT_TUNING): Promise<void> {
    const image = this.#session.inputs.image!;
    const [y, u, v] = [shrink(planes.y, ATLAS), shrink(planes.u, ATLAS / 2), shrink(planes.v, ATLAS / 2)];
    for (let p = 0; p < GRID * GRID; p++) {
      const [red, green, blue] = rgbOf(y[p]!, u[p]!, v[p]!);
      image[3 * p] = red;
      image[3 * p + 1] = green;
      image[3 * p + 2] = blue;
    }
    await this.#session.run();
    const correction = this.#session.outputs.correction!;
    const factors = [0, 1, 2].map(() => new Float32Array(GRID * GRID)) as Rgb<Float32Array>;
    for (let p = 0; p < GRID * GRID; p++) {
      const strength = (correction[3 * p]! + correction[3 * p + 1]! + correction[3 * p + 2]!) ** 2 / 9;
      const share = (removed * strength) / (strength + half * half || 1);
      for (let k = 0; k < 3; k++) factors[k]![p] = Math.exp(share * correction[3 * p + k]!);
    }
    relight(planes, factors.map((plane) => enlarged(plane, ATLAS)) as Rgb<Float32Array>);
  }
}

type Rgb<T> = [T, T, T];

/** Multiplies R, G, B of each texel by its factors, [ATLAS, ATLAS] each. */
function relight({ y, u, v }: Planes, [red, green, blue]: Rgb<Float32Array>): void {
  const half = ATLAS / 2;
  for (let row = 0; row < half; row++) {
    for (let column = 0; column < half; column++) {
      const c = row * half + column;
      let [sumU, sumV] = [0, 0];
      for (const at of [0, 1, ATLAS, ATLAS + 1]) {
        const p = 2 * row * ATLAS + 2 * column + at;
        const [r, g, b] = rgbOf(y[p]!, u[c]!, v[c]!);
        const [lr, lg, lb] = [lit(r, red[p]!), lit(g, green[p]!), lit(b, blue[p]!)];
        y[p] = clampByte(BLACK + 65.481 * lr + 128.553 * lg + 24.966 * lb);
        sumU += GREY - 37.797 * lr - 74.203 * lg + 112 * lb;
        sumV += GREY + 112 * lr - 93.786 * lg - 18.214 * lb;
      }
      u[c] = clampByte(sumU / 4);
      v[c] = clampByte(sumV / 4);
    }
  }
}

const lit = (value: number, factor: number): number => Math.min(1, Math.max(0, (value + FLOOR) * factor - FLOOR));

const clampByte = (value: number): number => Math.min(255, Math.max(0, Math.round(value)));
