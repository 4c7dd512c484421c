import { POINTS, type Topology } from '../../../face/topology.ts';
import { type FitCoefficients, fitWeighted } from './weighted-fit.ts';

/** About half of the canonical face in centimetres: keeps the numbers near one. */
const HALF_FACE = 8;
/** 1, x, y, x², xy, y². */
const TERMS = 6;

/** Quadratics over the canonical face, frontal x and y: what a light does to a face as a whole. */
export class MeshQuadratic {
  readonly #terms = new Float32Array(POINTS * TERMS);

  constructor({ vertices }: Topology) {
    for (let i = 0; i < POINTS; i++) {
      const [x, y] = [vertices[3 * i]! / HALF_FACE, vertices[3 * i + 1]! / HALF_FACE];
      this.#terms.set([1, x, y, x * x, x * y, y * y], TERMS * i);
    }
  }

  /** No light at all: coefficients of three channels for each term, [6, 3]. */
  zero(): FitCoefficients {
    return new Float64Array(TERMS * 3);
  }

  /** Fits three channels at once. @param values [468, 3]. @param weight [468], 0 or more. */
  fit(values: Float32Array, weight: Float32Array): FitCoefficients {
    return fitWeighted(this.#terms, TERMS, values, weight);
  }

  /** Value at point i in one of the three channels. */
  valueAt(fit: FitCoefficients, i: number, channel: number): number {
    let value = 0;
    for (let term = 0; term < TERMS; term++) value += this.#terms[TERMS * i + term]! * fit[3 * term + channel]!;
    return value;
  }
}
