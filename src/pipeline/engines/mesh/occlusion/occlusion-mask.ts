import type { Rect } from '../../../../shared/geometry.ts';
import { type FaceMap, MAP_SIDE, MAP_TEXELS } from './face-map.ts';
import type { OcclusionTuning } from './occlusion-tuning.ts';

/**
 * The mask of what occludes a face, made from marks of single texels: lone marks are noise, groups are an occluder.
 */
export class OcclusionMask {
  readonly #map: FaceMap;
  readonly #tuning: OcclusionTuning;
  readonly #visited = new Uint8Array(MAP_TEXELS);
  readonly #soft = new Float32Array(MAP_TEXELS);
  /** 0 the face, 255 an occluder: one for each texel of the map. */
  readonly values = new Uint8Array(MAP_TEXELS);
  /** Whether any texel is occluded. */
  any = false;
  /** The box around the occluded texels. */
  area: Rect = { x: 0, y: 0, width: 0, height: 0 };
  /** Occluded share of the map, 0..1. */
  coverage = 0;

  constructor(map: FaceMap, tuning: OcclusionTuning) {
    this.#map = map;
    this.#tuning = tuning;
  }

  /**
   * Makes a frame's mask. Texels along the map's edge stay 0.
   * @param marks how clearly each texel of the map is no face, 0..1; overwritten.
   * @param known 1 for each texel that was compared.
   */
  update(marks: Float32Array, known: Uint8Array): void {
    const { inside } = this.#map;
    const { markMeanLeast, maskGain, maskLeast, linger } = this.#tuning;
    const values = this.values;
    const soft = boxMean(marks, known, this.#soft);
    for (let t = 0; t < MAP_TEXELS; t++) marks[t] = soft[t]! > markMeanLeast ? 1 : 0;
    // A margin of two texels, then a soft edge.
    dilate(marks, soft);
    dilate(soft, marks);
    this.#removeSmallComponents(marks);
    boxMean(marks, inside, soft);
    let [x0, y0, x1, y1, covered] = [MAP_SIDE, MAP_SIDE, 0, 0, 0];
    for (let t = 0; t < MAP_TEXELS; t++) {
      const now = marks[t]! > 0 ? Math.min(1, maskGain * soft[t]!) * 255 : 0;
      const value = Math.max(now, values[t]! * linger);
      values[t] = value < maskLeast ? 0 : value;
      if (value < maskLeast) continue;
      const x = t % MAP_SIDE;
      const y = Math.floor(t / MAP_SIDE);
      x0 = Math.min(x0, x);
      x1 = Math.max(x1, x + 1);
      y0 = Math.min(y0, y);
      y1 = y + 1;
      covered += inside[t]!;
    }
    this.any = x1 > 0;
    this.coverage = covered / this.#map.texels.length;
    this.area = { x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
  }

  /** Clears the mask. */
  clear(): void {
    this.values.fill(0);
    this.any = false;
    this.coverage = 0;
  }

  /**
   * Clears small connected components that do not touch the border or the mouth: lighting changes, not occluders,
   * which come in from one of the two. A component that overlaps the last mask may be smaller.
   */
  #removeSmallComponents(marks: Float32Array): void {
    const { border, texels } = this.#map;
    const { overlapLeast, componentLeast, newComponentLeast } = this.#tuning;
    const last = this.values;
    const visited = this.#visited.fill(0);
    for (let first = 0; first < MAP_TEXELS; first++) {
      if (marks[first] === 0 || visited[first]) continue;
      const component = [first];
      visited[first] = 1;
      let [touchesBorder, overlap] = [false, 0];
      for (const texel of component) {
        if (last[texel]! > 0) overlap++;
        for (const neighbour of [texel - 1, texel + 1, texel - MAP_SIDE, texel + MAP_SIDE]) {
          touchesBorder ||= border[neighbour] === 1;
          if (marks[neighbour] === 0 || visited[neighbour]) continue;
          visited[neighbour] = 1;
          component.push(neighbour);
        }
      }
      const least = overlap > overlapLeast * component.length ? componentLeast : newComponentLeast;
      if (touchesBorder || component.length >= least * texels.length) continue;
      for (const texel of component) marks[texel] = 0;
    }
  }
}

/** Mean over 3×3 of the texels that count; 0 along the map's edge. */
function boxMean(from: Float32Array, counts: Uint8Array, out: Float32Array): Float32Array {
  for (let y = 1; y < MAP_SIDE - 1; y++) {
    for (let x = 1; x < MAP_SIDE - 1; x++) {
      const t = y * MAP_SIDE + x;
      let [sum, n] = [0, 0];
      for (let r = t - MAP_SIDE; r <= t + MAP_SIDE; r += MAP_SIDE) {
        for (let s = r - 1; s <= r + 1; s++) {
          if (!counts[s]) continue;
          sum += from[s]!;
          n++;
        }
      }
      out[t] = n === 0 ? 0 : sum / n;
    }
  }
  return out;
}

/** Dilation by one texel: the largest of each texel and its four neighbours; 0 along the map's edge. */
function dilate(from: Float32Array, out: Float32Array): void {
  for (let y = 1; y < MAP_SIDE - 1; y++) {
    for (let t = y * MAP_SIDE + 1; t < (y + 1) * MAP_SIDE - 1; t++)
      out[t] = Math.max(from[t]!, from[t - 1]!, from[t + 1]!, from[t - MAP_SIDE]!, from[t + MAP_SIDE]!);
  }
}
