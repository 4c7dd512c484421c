import type { Rect } from '../../../../shared/geometry.ts';
import { AppearanceModel } from './appearance-model.ts';
import { type FaceMap, MAP_TEXELS, type MapRange } from './face-map.ts';
import { OcclusionMask } from './occlusion-mask.ts';
import { OCCLUSION_TUNING, type OcclusionTuning } from './occlusion-tuning.ts';
import { WornOccluders, type WornTuning } from './worn-occluders.ts';

/**
 * Finds what occludes one live face. What moves, such as a hand or a cup: a running model of the face's map knows what the
 * face looks like; texels that suddenly differ from it, once the change of the room's light is taken out, show an
 * occluder. What is worn, such as glasses or a fringe: a segmentation tells. Runs in the lane worker, once a frame for each face.
 */
export class Occlusion {
  readonly #map: FaceMap;
  readonly #tuning: OcclusionTuning;
  readonly #model: AppearanceModel;
  readonly #mask: OcclusionMask;
  readonly #both = new Uint8Array(MAP_TEXELS);
  /** What is worn in front of the face. */
  readonly worn: WornOccluders;
  /** Factor on the tolerance of each texel of the list. */
  readonly #tolerance: Float32Array;
  /** How clearly each texel of the map is no face, 0..1, and 1 for each that was compared: of one frame. */
  readonly #marks = new Float32Array(MAP_TEXELS);
  readonly #known = new Uint8Array(MAP_TEXELS);
  #frames = 0;
  /** Frames one after another in which most of the map differed. */
  #wrongFrames = 0;

  constructor(map: FaceMap, tuning: OcclusionTuning = OCCLUSION_TUNING, worn?: WornTuning) {
    const { mobileRings, mobileTolerance } = tuning;
    this.#map = map;
    this.#tuning = tuning;
    this.#model = new AppearanceModel(map, tuning);
    this.#mask = new OcclusionMask(map, tuning);
    this.worn = new WornOccluders(map, worn);
    this.#tolerance = Float32Array.from(map.mobileDistance, (rings) => (rings <= mobileRings ? mobileTolerance : 1));
  }

  /** 0 the face, 255 an occluder: one for each texel of the map, [64, 64]. */
  get mask(): Uint8Array {
    if (!this.worn.any) return this.#mask.values;
    return this.#mask.any ? this.#both : this.worn.values;
  }

  /** Whether anything occludes the face. */
  get any(): boolean {
    return this.#mask.any || this.worn.any;
  }

  /** The box on the map around what occludes the face; read only while `any`. */
  get area(): Rect {
    const { worn } = this;
    if (!worn.any) return this.#mask.area;
    if (!this.#mask.any) return worn.area;
    const [a, b] = [this.#mask.area, worn.area];
    const [x, y] = [Math.min(a.x, b.x), Math.min(a.y, b.y)];
    return {
      x,
      y,
      width: Math.max(a.x + a.width, b.x + b.width) - x,
      height: Math.max(a.y + a.height, b.y + b.height) - y,
    };
  }

  /**
   * The texels that the next `update` compares: all of them, or every second one in alternation while nothing
   * occludes the face.
   */
  get range(): MapRange {
    const { half, texels } = this.#map;
    if (this.#frames < this.#tuning.framesOfAllTexels || this.#mask.any) return [0, texels.length];
    return this.#frames % 2 === 0 ? [0, half] : [half, texels.length];
  }

  /**
   * Compares a frame with the model, and learns from it.
   * @param colours Y, U, V of each texel of the map's list, 0..255; those of `range` are of this frame.
   * @param seen cosine to the camera of each of 468 points, 1 is frontal; 0 where the point is to be ignored.
   */
  update(colours: Float32Array, seen: Float32Array): void {
    const { framesToTrust, framesOfAllTexels, misleadingCoverage } = this.#tuning;
    const range = this.range;
    if (this.#frames >= framesToTrust) this.#compare(colours, seen, range);
    // After the first frames a texel is learned from in every second frame, also while every texel is sampled.
    if (this.#frames < framesOfAllTexels || !this.#mask.any || this.#frames % 2 === 0)
      this.#model.learn(colours, seen, range, this.#mask.coverage > misleadingCoverage ? null : this.#mask.values);
    this.#frames++;
    this.#join();
  }

  /** How much of a mesh point is occluded, 0..1. */
  coverageAt(point: number): number {
    return this.mask[this.#map.texelOfPoint[point]!]! / 255;
  }

  /** Joins what moves and what is worn, where there is something of both. */
  #join(): void {
    if (!this.worn.any || !this.#mask.any) return;
    const [moving, worn] = [this.#mask.values, this.worn.values];
    for (let t = 0; t < MAP_TEXELS; t++) this.#both[t] = Math.max(moving[t]!, worn[t]!);
  }

  #compare(colours: Float32Array, seen: Float32Array, [from, to]: MapRange): void {
    const { framesToTrust, edgeEveryFrames, seenLeast, viewApart, turnTolerance, deviations } = this.#tuning;
    const { lumaLeast, chromaLeast, markFrom, markSlope, markMeanLeast, wrongCoverage } = this.#tuning;
    const { texels, corner, x, y } = this.#map;
    const [level, across, down] = this.#model.fitLight(colours, seen, [from, to], this.#mask.values);
    if (this.#frames % edgeEveryFrames === framesToTrust % edgeEveryFrames) this.#model.findEdges();
    const { mean, deviation, frames, view: views, slip } = this.#model;
    const tolerance = this.#tolerance;
    const known = this.#known.fill(0);
    const marks = this.#marks.fill(0);
    let count = 0;
    let differing = 0;
    let isMarked = false;
    for (let k = from; k < to; k++) {
      const view = seen[corner[k]!]!;
      if (view < seenLeast || frames[k]! < framesToTrust) continue;
      const turned = Math.abs(view - views[k]!);
      if (turned > viewApart) continue;
      const dy = Math.abs(colours[3 * k]! - mean[3 * k]! - (level + across * x[k]! + down * y[k]!));
      const du = colours[3 * k + 1]! - mean[3 * k + 1]!;
      const dv = colours[3 * k + 2]! - mean[3 * k + 2]!;
      const tolerated = tolerance[k]! * (1 + turnTolerance * turned);
      const limitY = tolerated * (lumaLeast + deviations * deviation[2 * k]! + slip[k]!);
      const limitC = tolerated * (chromaLeast + deviations * deviation[2 * k + 1]!);
      const texel = texels[k]!;
      known[texel] = 1;
      count++;
      // Nearly all texels show the face and end here, before the square root.
      if (dy <= markFrom * limitY && du * du + dv * dv <= (markFrom * limitC) ** 2) continue;
      const error = Math.max(dy / limitY, Math.sqrt(du * du + dv * dv) / limitC);
      const mark = Math.min(1, markSlope * (error - markFrom));
      marks[texel] = mark;
      isMarked ||= mark > markMeanLeast;
      if (error > 1) differing++;
    }
    this.#wrongFrames = differing > wrongCoverage * count ? this.#wrongFrames + 1 : 0;
    if (this.#wrongFrames > this.#tuning.wrongFrames) this.#forget();
    else if (isMarked || this.#mask.any) this.#mask.update(marks, known);
  }

  /** Begins anew: the model is wrong. */
  #forget(): void {
    this.#model.forget();
    this.#mask.clear();
    this.worn.clear();
    this.#frames = 0;
    this.#wrongFrames = 0;
  }
}
