import { type FaceMap, type MapRange, NO_TEXEL } from './face-map.ts';
import { fitPlane, type PlaneFit } from './fit-plane.ts';
import type { OcclusionTuning } from './occlusion-tuning.ts';

/**
 * What one live face usually looks like: exponentially weighted mean and mean deviation of each texel of the face
 * map's list. Its arrays are public, as the comparison reads them in the frame's hot loop.
 */
export class AppearanceModel {
  readonly #map: FaceMap;
  readonly #tuning: OcclusionTuning;
  /** Y, U, V of each texel, 0..255: [texels, 3]. */
  readonly mean: Float32Array;
  /** Mean deviation of luma and of chroma from that: [texels, 2]. */
  readonly deviation: Float32Array;
  /** Cosine at which each texel was usually seen, 1 is frontal. */
  readonly view: Float32Array;
  /** Frames that each texel was learned from since it was last seen at another angle. */
  readonly frames: Uint16Array;
  /** Luma by which a small error of the landmarks may change each texel. */
  readonly slip: Float32Array;
  readonly #moments = new Float64Array(9);

  constructor(map: FaceMap, tuning: OcclusionTuning) {
    const count = map.texels.length;
    this.#map = map;
    this.#tuning = tuning;
    this.mean = new Float32Array(count * 3);
    this.deviation = new Float32Array(count * 2);
    this.view = new Float32Array(count);
    this.frames = new Uint16Array(count);
    this.slip = new Float32Array(count);
  }

  /**
   * The room's light in this frame against the model's, in luma: a plane over the map, fitted to the texels that show
   * the face by iteratively reweighted least squares with Cauchy weights.
   * @param colours Y, U, V of each texel.
   * @param seen cosines of 468 points.
   * @param mask the last frame's occlusion mask.
   */
  fitLight(colours: Float32Array, seen: Float32Array, [from, to]: MapRange, mask: Uint8Array): PlaneFit {
    const { texels, corner, x, y } = this.#map;
    const { seenLeast, lightPasses, lightReachFirst, lightReach, lightTexelStep } = this.#tuning;
    const occluded = this.#tuning.lightOccluded / 255;
    const mean = this.mean;
    const m = this.#moments;
    let fit: PlaneFit = [0, 0, 0];
    for (let pass = 0; pass < lightPasses; pass++) {
      m.fill(0);
      const [level, across, down] = fit;
      // In the first pass every texel counts to some extent; after it, texels far from the plane count little.
      const reach = pass === 0 ? lightReachFirst : lightReach;
      for (let k = from; k < to; k += lightTexelStep) {
        if (seen[corner[k]!]! < seenLeast) continue;
        const px = x[k]!;
        const py = y[k]!;
        const d = colours[3 * k]! - mean[3 * k]!;
        const off = (d - level - across * px - down * py) / reach;
        const w = (1 - occluded * mask[texels[k]!]!) / (1 + off * off);
        m[0]! += w;
        m[1]! += w * px;
        m[2]! += w * py;
        m[3]! += w * px * px;
        m[4]! += w * px * py;
        m[5]! += w * py * py;
        m[6]! += w * d;
        m[7]! += w * d * px;
        m[8]! += w * d * py;
      }
      fit = fitPlane(m);
    }
    return fit;
  }

  /** Sets `slip` from the greatest luma step between each texel of the model and its neighbours. */
  findEdges(): void {
    const { neighbours } = this.#map;
    const { slip: share } = this.#tuning;
    const mean = this.mean;
    for (let k = 0; k < this.slip.length; k++) {
      let edge = 0;
      for (let n = 4 * k; n < 4 * k + 4; n++) {
        const other = neighbours[n]!;
        if (other !== NO_TEXEL) edge = Math.max(edge, Math.abs(mean[3 * other]! - mean[3 * k]!));
      }
      this.slip[k] = share * edge;
    }
  }

  /**
   * Learns a frame's texels of a range: what shows the face quickly, what is occluded slowly.
   * @param colours Y, U, V of each texel. @param seen cosines of 468 points.
   * @param mask this frame's occlusion mask; null where so much is occluded that every texel counts as occluded.
   */
  learn(colours: Float32Array, seen: Float32Array, [from, to]: MapRange, mask: Uint8Array | null): void {
    const { texels, corner } = this.#map;
    const { seenLeast, framesToTrust, follow, followOccluded, viewApart } = this.#tuning;
    const { mean, deviation, view: views, frames } = this;
    for (let k = from; k < to; k++) {
      const view = seen[corner[k]!]!;
      if (view < seenLeast) continue;
      // A slanted view mixes a texel's colour with its neighbours': what was learned from another angle no longer
      // applies.
      if (mask !== null && Math.abs(view - views[k]!) > viewApart) frames[k] = 0;
      const learned = frames[k]!;
      const isOccluded = (mask === null || mask[texels[k]!]! > 0) && learned >= framesToTrust;
      if (learned < 0xffff) frames[k] = learned + 1;
      const share = isOccluded ? followOccluded : Math.max(1 / (learned + 1), follow);
      const dy = colours[3 * k]! - mean[3 * k]!;
      const du = colours[3 * k + 1]! - mean[3 * k + 1]!;
      const dv = colours[3 * k + 2]! - mean[3 * k + 2]!;
      views[k]! += share * (view - views[k]!);
      mean[3 * k]! += share * dy;
      mean[3 * k + 1]! += share * du;
      mean[3 * k + 2]! += share * dv;
      if (isOccluded || learned === 0) continue;
      deviation[2 * k]! += share * (Math.abs(dy) - deviation[2 * k]!);
      deviation[2 * k + 1]! += share * (Math.sqrt(du * du + dv * dv) - deviation[2 * k + 1]!);
    }
  }

  /** Lets every texel be learned anew from the next frame on. */
  forget(): void {
    this.frames.fill(0);
  }
}
