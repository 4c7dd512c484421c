import { POINTS, type Topology } from '../../../face/topology.ts';
import { BLACK, GREY } from '../source/atlas-layout.ts';
import { logOfLuma, relativeColours } from './log-luma.ts';
import { MEAN_FACE, type MeanFace } from './mean-face.ts';
import type { MeshQuadratic } from './mesh-quadratic.ts';
import { RELIGHT_TUNING, type RelightTuning } from './relight-tuning.ts';
import { type SourceLight, sourceLightOf } from './source-light.ts';

/** What a `Relight` needs beside the source's colours. */
export interface RelightParts {
  topology: Topology;
  quadratic: MeshQuadratic;
  /** As `skinWeights` returns it with the same tuning. */
  skin: Float32Array;
  tuning?: RelightTuning;
  meanFace?: MeanFace;
}

/**
 * Puts the live face's light on the source's skin: a ratio image over the mesh (Shashua and Riklin-Raviv 2001). Light
 * multiplies, so at every mesh point the logarithm of the live luma is compared with that of the source. What the
 * difference has in common over the face is a quadratic over the canonical face; the residual is smoothed over the
 * mesh (a screened Poisson equation, solved by successive over-relaxation from the last answer), where the live point
 * looks like lit skin. A mean face tells that, not the source: what is odd in the photo is no reason to distrust the
 * live skin. Colour is an offset, fitted the same way. Runs in the lane worker, in every third frame of each face.
 */
export class Relight {
  readonly #topology: Topology;
  readonly #quadratic: MeshQuadratic;
  readonly #skin: Float32Array;
  readonly #tuning: RelightTuning;
  readonly #meanFace: MeanFace;
  readonly #source: SourceLight;
  readonly #sourceColours: Float32Array;
  readonly #isRim: Uint8Array;
  /** Points well inside the face. */
  readonly #innerPoints: Uint16Array;
  readonly #relative = new Float32Array(POINTS * 3);
  readonly #difference = new Float32Array(POINTS * 3);
  readonly #weight = new Float32Array(POINTS);
  /** Robust weight of each point against the mean face, 0..1; the next call's fit begins with it. */
  readonly #robust = new Float32Array(POINTS).fill(1);
  /** The light as a whole, of log luma, U and V. */
  readonly #light: Float64Array;
  /** The residual, smoothed over the mesh: log luma, U, V at each point. */
  readonly #residual = new Float32Array(POINTS * 3);
  /** Factor on the source's luma and chroma off grey at each of 468 points, above 0. */
  readonly gain = new Float32Array(POINTS).fill(1);
  /** U and V to add at each of 468 points, in steps of 1/255: [468, 3], the first of three unused. */
  readonly offset = new Float32Array(POINTS * 3);
  /** Luma of the source's plain skin at each of 468 points, limited range: contrast is about it. */
  readonly plain: Float32Array;
  /**
   * Contrast of the live face over that of the lit source: what luma's features are multiplied by. A dim or hazy
   * camera lowers it.
   */
  contrast = 1;
  /** Saturation of the live skin over that of the lit source: what its chroma is multiplied by, about grey. */
  saturation = 1;
  /**
   * How much each of 468 live points looks like lit skin, 0..1; hair, a headset or the background behind a slipped
   * rim do not.
   */
  readonly likeness = new Float32Array(POINTS).fill(1);
  #isFirst = true;

  /** @param source mean Y, U, V at each of 468 points of the source's atlas. */
  constructor(source: Float32Array, parts: RelightParts) {
    const { topology, quadratic, skin, tuning = RELIGHT_TUNING, meanFace = MEAN_FACE } = parts;
    this.#topology = topology;
    this.#quadratic = quadratic;
    this.#skin = skin;
    this.#tuning = tuning;
    this.#meanFace = meanFace;
    this.#light = quadratic.zero();
    this.#sourceColours = source;
    this.#source = sourceLightOf(source, skin, quadratic);
    this.plain = this.#source.plain;
    const rings = topology.ring.subarray(0, POINTS);
    this.#isRim = Uint8Array.from(rings, (ring) => (ring <= tuning.rimRings ? 1 : 0));
    this.#innerPoints = Uint16Array.from([...rings.keys()].filter((i) => rings[i]! >= tuning.contrastFromRing));
  }

  /**
   * Follows the light of a frame; updates `gain`, `offset`, `contrast`, `saturation` and `likeness`.
   * @param live mean Y, U, V at each of 468 points.
   * @param seen cosine of each live point to the camera; 0 or less where the point is ignored.
   */
  follow(live: Float32Array, seen: Float32Array): void {
    this.#followLikeness(live, seen);
    for (let i = 0; i < POINTS; i++) this.#weight[i] = this.#skin[i]! * this.likeness[i]! * this.#sight(seen[i]!);
    this.#followLuma(live);
    this.#followContrast(live, seen);
    this.#followSaturation(live);
    this.#followChroma(live);
    this.#isFirst = false;
  }

  /** Factor on a point's weight by the cosine at which it is seen. */
  #sight(seen: number): number {
    return Math.max(this.#tuning.unseenWeight, Math.min(1, seen));
  }

  /** Share of the way towards a new value: all of it in the first call. */
  #share(follow: number): number {
    return this.#isFirst ? 1 : follow;
  }

  /** Compares the live face with the mean face under a light fitted to it (iteratively reweighted least squares). */
  #followLikeness(live: Float32Array, seen: Float32Array): void {
    const { unlikeLuma, unlikeChroma, firstFits, fits, likenessFollow } = this.#tuning;
    const relative = relativeColours(live, this.#relative);
    for (let at = 0; at < relative.length; at++) relative[at]! -= this.#meanFace.colours[at]!;
    const quadratic = this.#quadratic;
    const robust = this.#robust;
    for (let pass = this.#isFirst ? firstFits : fits; pass > 0; pass--) {
      for (let i = 0; i < POINTS; i++) this.#weight[i] = this.#skin[i]! * robust[i]! * this.#sight(seen[i]!);
      const fit = quadratic.fit(relative, this.#weight);
      for (let i = 0; i < POINTS; i++) {
        const luma = (relative[3 * i]! - quadratic.valueAt(fit, i, 0)) / unlikeLuma;
        const u = (relative[3 * i + 1]! - quadratic.valueAt(fit, i, 1)) / unlikeChroma;
        const v = (relative[3 * i + 2]! - quadratic.valueAt(fit, i, 2)) / unlikeChroma;
        const distance = luma * luma + u * u + v * v;
        robust[i] = 1 / (1 + distance * distance);
      }
    }
    const share = this.#share(likenessFollow);
    for (let i = 0; i < POINTS; i++) {
      if (seen[i]! > 0) this.likeness[i]! += share * (robust[i]! - this.likeness[i]!);
    }
  }

  /** Gain from the ratio of the live luma to the source's. */
  #followLuma(live: Float32Array): void {
    const { log } = this.#source;
    for (let i = 0; i < POINTS; i++) this.#difference[3 * i] = logOfLuma(live[3 * i]!) - log[i]!;
    this.#followLight(0, 1);
    const most = this.#tuning.gainMost;
    for (let i = 0; i < POINTS; i++) {
      const value = this.#quadratic.valueAt(this.#light, i, 0) + this.#residual[3 * i]!;
      this.gain[i] = Math.exp(Math.min(most, Math.max(-most, value)));
    }
  }

  /** Offset from what is left of the live chroma after the lit source's. */
  #followChroma(live: Float32Array): void {
    for (let i = 0; i < POINTS; i++) {
      const factor = this.saturation * this.gain[i]!;
      for (let at = 3 * i + 1; at < 3 * i + 3; at++)
        this.#difference[at] = live[at]! - GREY - factor * (this.#sourceColours[at]! - GREY);
    }
    this.#followLight(1, 3);
    for (let i = 0; i < POINTS; i++) {
      for (let k = 1; k < 3; k++)
        this.offset[3 * i + k] = this.#quadratic.valueAt(this.#light, i, k) + this.#residual[3 * i + k]!;
    }
  }

  /** Moves channels of the light as a whole towards this frame's, and smooths the residual over the mesh. */
  #followLight(from: number, to: number): void {
    const { lightFollow, firstSweeps, sweeps } = this.#tuning;
    const fit = this.#quadratic.fit(this.#difference, this.#weight);
    const share = this.#share(lightFollow);
    for (let at = 0; at < fit.length; at++) {
      if (at % 3 >= from && at % 3 < to) this.#light[at]! += share * (fit[at]! - this.#light[at]!);
    }
    for (let i = 0; i < POINTS; i++) {
      for (let k = from; k < to; k++) this.#difference[3 * i + k]! -= this.#quadratic.valueAt(this.#light, i, k);
    }
    for (let sweep = this.#isFirst ? firstSweeps : sweeps; sweep > 0; sweep--) this.#sweep(from, to);
  }

  /** Successive over-relaxation (Young 1954). */
  #sweep(from: number, to: number): void {
    const { first, neighbours } = this.#topology;
    const { lumaSpread, chromaSpread, rimWeight, rimLikenessLeast, priorWeight, relaxation } = this.#tuning;
    const spread = from === 0 ? lumaSpread : chromaSpread;
    const residual = this.#residual;
    const difference = this.#difference;
    for (let i = 0; i < POINTS; i++) {
      const end = first[i + 1]!;
      const own = this.#isRim[i]
        ? rimWeight * Math.max(rimLikenessLeast * this.#skin[i]!, this.#weight[i]!)
        : this.#weight[i]!;
      const scale = relaxation / (own + priorWeight + spread * (end - first[i]!));
      for (let k = from; k < to; k++) {
        const at = 3 * i + k;
        let sum = 0;
        for (let n = first[i]!; n < end; n++) sum += residual[3 * neighbours[n]! + k]!;
        residual[at]! += scale * (own * difference[at]! + spread * sum) - relaxation * residual[at]!;
      }
    }
  }

  /** Contrast is the ratio of the deviations of luma from the lit plain skin in the middle of the face. */
  #followContrast(live: Float32Array, seen: Float32Array): void {
    const { contrastSeenLeast, contrastLeast, contrastMost, contrastShare, contrastFollow } = this.#tuning;
    let [liveSquares, sourceSquares] = [0, 0];
    for (const i of this.#innerPoints) {
      if (seen[i]! < contrastSeenLeast) continue;
      const gain = this.gain[i]!;
      const plain = gain * (this.plain[i]! - BLACK);
      liveSquares += (live[3 * i]! - BLACK - plain) ** 2;
      sourceSquares += (gain * (this.#source.luma[i]! - BLACK) - plain) ** 2;
    }
    const ratio = sourceSquares === 0 ? 1 : Math.sqrt(liveSquares / sourceSquares);
    const wanted = Math.min(contrastMost, Math.max(contrastLeast, contrastShare * ratio));
    this.contrast += (wanted - this.contrast) * this.#share(contrastFollow);
  }

  /** Saturation is the least-squares factor from the lit source's chroma to the live chroma over the skin. */
  #followSaturation(live: Float32Array): void {
    const { saturationLeast, saturationMost, contrastFollow } = this.#tuning;
    let [both, own] = [0, 0];
    for (let i = 0; i < POINTS; i++) {
      const weight = this.#weight[i]!;
      if (weight === 0) continue;
      const gain = this.gain[i]!;
      const u = gain * (this.#sourceColours[3 * i + 1]! - GREY);
      const v = gain * (this.#sourceColours[3 * i + 2]! - GREY);
      both += weight * (u * (live[3 * i + 1]! - GREY) + v * (live[3 * i + 2]! - GREY));
      own += weight * (u * u + v * v);
    }
    const wanted = own === 0 ? 1 : Math.min(saturationMost, Math.max(saturationLeast, both / own));
    this.saturation += (wanted - this.saturation) * this.#share(contrastFollow);
  }
}
