import { POINTS, type Topology } from '../../face/topology.ts';
import { RELIGHT_TUNING, type RelightTuning } from './relight-tuning.ts';
import { GREY } from './source/atlas.ts';
import { type FitCoefficients, fitWeighted } from './weighted-fit.ts';

/** About half of the canonical face in centimetres: keeps the quadratic's numbers near one. */
const HALF_FACE = 8;
/** Terms of the quadratic: 1, x, y, x², xy, y². */
const TERMS = 6;

/**
 * Puts the live face's light on the source's skin. At every mesh point the local mean colour of the frame is compared
 * with that of the source. What the difference has in common over the whole face is the light: a quadratic over the
 * canonical face is fitted to it, so that a face lit from the front takes over a face lit from above without a step.
 * The residual at the rim is carried a little way inwards (a screened Poisson equation), so that the drawn skin meets
 * the live skin; the residual inside is the source's own features, which stay, at the camera's contrast. Solved by
 * successive over-relaxation from the last answer: cheap, and steady over time. Runs in the lane worker, in every
 * third frame of each face.
 */
export class Relight {
  readonly #topology: Topology;
  readonly #skin: Float32Array;
  readonly #tuning: RelightTuning;
  /** The quadratic's terms at each point. */
  readonly #terms: Float32Array;
  /** Factor on each point's weight in the fit of the light as a whole. */
  readonly #lightShare: Float32Array;
  /** Share of the source's features at each point: 0 at the rim, 1 inside. */
  readonly #featureShare: Float32Array;
  readonly #difference = new Float32Array(POINTS * 3);
  readonly #weight = new Float32Array(POINTS);
  readonly #lightWeight = new Float32Array(POINTS);
  readonly #sorted = new Float32Array(POINTS);
  /** Points well inside the face. */
  readonly #innerPoints: Uint16Array;
  /** The light as a whole: coefficients of Y, U, V for each term, [6, 3]. */
  readonly #light = new Float64Array(TERMS * 3);
  /** The residual, spread over the mesh: Y, U, V at each point. */
  readonly #residual = new Float32Array(POINTS * 3);
  /** The source's features: its luma at each point less a quadratic fitted to it. Null before the first call. */
  #features: Float32Array | null = null;
  /** Y, U, V to add at each of 468 points, in steps of 1/255. */
  readonly offset = new Float32Array(POINTS * 3);
  /**
   * Contrast of the live face over that of the source: what luma's features are multiplied by. A dim or hazy camera
   * lowers it.
   */
  contrast = 1;
  /** Saturation of the live skin over that of the source: what the source's chroma is multiplied by, about grey. */
  saturation = 1;
  /**
   * How much each of 468 live points looks like lit skin, 0..1; hair, a headset or the background behind a slipped
   * rim do not.
   */
  readonly likeness = new Float32Array(POINTS).fill(1);
  #isFirst = true;

  /** @param skin as `skinWeights` returns it with the same tuning. */
  constructor(topology: Topology, skin: Float32Array, tuning: RelightTuning = RELIGHT_TUNING) {
    const { ring, vertices } = topology;
    const { contrastFromRing, rimRings, rimWeight, rimWeightInLight, featuresFrom, featuresTo } = tuning;
    this.#topology = topology;
    this.#skin = skin;
    this.#tuning = tuning;
    this.#innerPoints = Uint16Array.from([...ring.keys()].filter((i) => i < POINTS && ring[i]! >= contrastFromRing));
    this.#lightShare = Float32Array.from(ring.subarray(0, POINTS), (r) =>
      r <= rimRings ? rimWeightInLight / rimWeight : 1,
    );
    this.#featureShare = Float32Array.from(ring.subarray(0, POINTS), (r) =>
      Math.min(1, Math.max(0, (r - featuresFrom) / (featuresTo - featuresFrom))),
    );
    this.#terms = new Float32Array(POINTS * TERMS);
    for (let i = 0; i < POINTS; i++) {
      const [x, y] = [vertices[3 * i]! / HALF_FACE, vertices[3 * i + 1]! / HALF_FACE];
      this.#terms.set([1, x, y, x * x, x * y, y * y], TERMS * i);
    }
  }

  /**
   * Follows the light of a frame; updates `offset`, `contrast`, `saturation` and `likeness`.
   * @param live mean Y, U, V at each of 468 points.
   * @param source mean Y, U, V at each of 468 points of the source's atlas.
   * @param seen cosine of each live point to the camera; 0 or less where the point is ignored.
   */
  follow(live: Float32Array, source: Float32Array, seen: Float32Array): void {
    const share = this.#isFirst ? 1 : this.#tuning.contrastFollow;
    this.#followContrast(live, source, seen, share);
    this.#followSaturation(live, source, seen, share);
    this.#features ??= this.#featuresOf(source);
    const difference = this.#difference;
    for (let i = 0; i < difference.length; i += 3) {
      difference[i] = live[i]! - source[i]!;
      for (let k = i + 1; k < i + 3; k++) difference[k] = live[k]! - GREY - this.saturation * (source[k]! - GREY);
    }
    this.#weighPoints(seen);
    this.#followLight(seen);
    this.#setTargets();
    const { firstSweeps, sweeps } = this.#tuning;
    for (let sweep = this.#isFirst ? firstSweeps : sweeps; sweep > 0; sweep--) this.#sweep();
    for (let i = 0; i < this.offset.length; i++) this.offset[i]! += this.#residual[i]!;
    this.#isFirst = false;
  }

  /** Contrast is the ratio of the standard deviations of luma in the middle of the face. */
  #followContrast(live: Float32Array, source: Float32Array, seen: Float32Array, share: number): void {
    const { contrastLeast, contrastMost, contrastShare } = this.#tuning;
    const ratio = this.#lumaDeviation(live, seen) / (this.#lumaDeviation(source, seen) || 1);
    const wanted = Math.min(contrastMost, Math.max(contrastLeast, contrastShare * ratio));
    this.contrast += (wanted - this.contrast) * share;
  }

  /** Saturation is the least-squares factor from the source's chroma to the live chroma over the skin. */
  #followSaturation(live: Float32Array, source: Float32Array, seen: Float32Array, share: number): void {
    const { saturationLeast, saturationMost } = this.#tuning;
    let [both, own] = [0, 0];
    for (let i = 0; i < POINTS; i++) {
      if (this.#skin[i] === 0 || seen[i]! <= 0) continue;
      const [u, v] = [source[3 * i + 1]! - GREY, source[3 * i + 2]! - GREY];
      both += seen[i]! * (u * (live[3 * i + 1]! - GREY) + v * (live[3 * i + 2]! - GREY));
      own += seen[i]! * (u * u + v * v);
    }
    const wanted = own === 0 ? 1 : Math.min(saturationMost, Math.max(saturationLeast, both / own));
    this.saturation += (wanted - this.saturation) * share;
  }

  #featuresOf(source: Float32Array): Float32Array {
    const fit = this.#fit(source, this.#skin);
    return Float32Array.from({ length: POINTS }, (_, i) => source[3 * i]! - this.#valueAt(fit, i, 0));
  }

  /** Weight of each point: by place, by "seen", and little for outliers of luma (Cauchy weights). */
  #weighPoints(seen: Float32Array): void {
    const { unseenWeight, outlierSeenLeast, outlierPointsLeast, outlierWidthLeast, outlierRanges } = this.#tuning;
    const weight = this.#weight;
    let count = 0;
    for (let i = 0; i < POINTS; i++) {
      weight[i] = this.#skin[i]! * Math.max(unseenWeight, Math.min(1, seen[i]!));
      if (this.#skin[i]! > 0 && seen[i]! > outlierSeenLeast) this.#sorted[count++] = this.#difference[3 * i]!;
    }
    if (count < outlierPointsLeast) return;
    const luma = this.#sorted.subarray(0, count).sort();
    const median = luma[luma.length >> 1]!;
    const quartiles = luma[Math.floor(luma.length * 0.75)]! - luma[Math.floor(luma.length * 0.25)]!;
    const width = Math.max(outlierWidthLeast, quartiles * outlierRanges);
    for (let i = 0; i < POINTS; i++) {
      const far = ((this.#difference[3 * i]! - median) / width) ** 2;
      weight[i]! /= 1 + far * far;
    }
  }

  /** Moves the light as a whole some way towards this frame's, and writes it to `offset`. */
  #followLight(seen: Float32Array): void {
    const fit = this.#fit(this.#difference, this.#weight);
    this.#updateLikeness(fit, seen);
    const share = this.#isFirst ? 1 : this.#tuning.lightFollow;
    for (let c = 0; c < fit.length; c++) this.#light[c]! += share * (fit[c]! - this.#light[c]!);
    for (let i = 0; i < POINTS; i++) {
      for (let k = 0; k < 3; k++) this.offset[3 * i + k] = this.#valueAt(this.#light, i, k);
    }
  }

  #fit(values: Float32Array, weight: Float32Array): FitCoefficients {
    for (let i = 0; i < POINTS; i++) this.#lightWeight[i] = weight[i]! * this.#lightShare[i]!;
    return fitWeighted(this.#terms, TERMS, values, this.#lightWeight);
  }

  /** Value of a quadratic at point i in Y, U or V (k). */
  #valueAt(fit: FitCoefficients, i: number, k: number): number {
    let value = 0;
    for (let term = 0; term < TERMS; term++) value += this.#terms[TERMS * i + term]! * fit[3 * term + k]!;
    return value;
  }

  /**
   * Compares each point with what this frame's light makes of the source. Points that are not seen keep their
   * likeness.
   */
  #updateLikeness(light: FitCoefficients, seen: Float32Array): void {
    const { likenessFollow, unlikeLuma, unlikeChroma } = this.#tuning;
    const share = this.#isFirst ? 1 : likenessFollow;
    const off = (i: number, k: number): number => this.#difference[3 * i + k]! - this.#valueAt(light, i, k);
    for (let i = 0; i < POINTS; i++) {
      if (seen[i]! <= 0) continue;
      const [luma, u, v] = [off(i, 0) / unlikeLuma, off(i, 1) / unlikeChroma, off(i, 2) / unlikeChroma];
      const far = luma * luma + u * u + v * v;
      const now = 1 / (1 + far * far);
      this.likeness[i]! += share * (now - this.likeness[i]!);
    }
  }

  /**
   * Turns `difference` into the sweeps' targets: at the rim, and in chroma, what the light leaves; inside, the
   * features.
   */
  #setTargets(): void {
    const { ring } = this.#topology;
    const { rimRings } = this.#tuning;
    const difference = this.#difference;
    for (let i = 0; i < POINTS; i++) {
      for (let k = 3 * i; k < 3 * i + 3; k++) difference[k]! -= this.offset[k]!;
      if (ring[i]! > rimRings) difference[3 * i] = (this.contrast * this.#featureShare[i]! - 1) * this.#features![i]!;
    }
  }

  /** One sweep of successive over-relaxation (Young 1954). */
  #sweep(): void {
    const { first, neighbours, ring } = this.#topology;
    const { rimRings, featureWeight, lumaSpread, chromaSpread, relaxation } = this.#tuning;
    const weight = this.#weight;
    const residual = this.#residual;
    const difference = this.#difference;
    for (let i = 0; i < POINTS; i++) {
      let y = 0;
      let u = 0;
      let v = 0;
      const end = first[i + 1]!;
      for (let n = first[i]!; n < end; n++) {
        const at = 3 * neighbours[n]!;
        y += residual[at]!;
        u += residual[at + 1]!;
        v += residual[at + 2]!;
      }
      const w = weight[i]!;
      const wLuma = ring[i]! <= rimRings ? w : featureWeight;
      const links = end - first[i]!;
      const luma = relaxation / (wLuma + lumaSpread * links);
      const chroma = relaxation / (w + chromaSpread * links);
      const at = 3 * i;
      residual[at]! += luma * (wLuma * difference[at]! + lumaSpread * y) - relaxation * residual[at]!;
      residual[at + 1]! += chroma * (w * difference[at + 1]! + chromaSpread * u) - relaxation * residual[at + 1]!;
      residual[at + 2]! += chroma * (w * difference[at + 2]! + chromaSpread * v) - relaxation * residual[at + 2]!;
    }
  }

  /** Standard deviation of luma over those of the inner points that are seen well. */
  #lumaDeviation(colours: Float32Array, seen: Float32Array): number {
    const { contrastSeenLeast } = this.#tuning;
    let [n, sum, squares] = [0, 0, 0];
    for (const i of this.#innerPoints) {
      if (seen[i]! < contrastSeenLeast) continue;
      const y = colours[3 * i]!;
      n++;
      sum += y;
      squares += y * y;
    }
    return n === 0 ? 0 : Math.sqrt(Math.max(0, squares / n - (sum / n) ** 2));
  }
}
