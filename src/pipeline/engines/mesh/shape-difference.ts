import { fitSimilarity3 } from '../../face/pose.ts';
import { LIPS_INNER, LIPS_OUTER, POINTS, type Topology } from '../../face/topology.ts';
import { mouthShares, type ShapePair, type ShapeTuning } from './shape.ts';
import { smileOf } from './source/neutralise-expression.ts';

/** Tuning of how the live face's usual shape is learned. Hand-tuned. */
export const SHAPE_DIFFERENCE_TUNING = {
  /** Frames of a face, one after another, that are all learned from at first; 1 or more. */
  firstFrames: 10,
  /** Frames from one that is learned from to the next after that; 1 or more. Set by cost. */
  everyFrames: 5,
  /** How many of those the usual shape is a mean over, once it is known; 1 or more. */
  samples: 60,
};

/** Values of the shape's difference that an experiment may set anew; see `SHAPE_DIFFERENCE_TUNING`. */
export type ShapeDifferenceTuning = Readonly<typeof SHAPE_DIFFERENCE_TUNING>;

/** Points along an edge of the lips, corners included; the lower lip's follow the upper one's. */
const LIP_POINTS = LIPS_INNER.length;
/** Index of the left corner on an edge of the lips; the right one is 0. */
const LEFT_CORNER = LIP_POINTS / 2;

/** Where the points about the mouth lie in it. */
export interface LipColumns {
  /** Index into LIPS_INNER of the point of the lips that is nearest to each of 468 points. */
  column: Uint8Array;
  /** How much each of 468 points moves with its lip: 0..1 with the upper one, −1..0 with the lower one. */
  side: Float32Array;
}

/** Finds where the points about the mouth lie in it. */
export function lipColumns(topology: Topology, tuning?: ShapeTuning): LipColumns {
  const { vertices } = topology;
  const share = mouthShares(topology, tuning);
  const column = new Uint8Array(POINTS);
  const side = new Float32Array(POINTS);
  for (let i = 0; i < POINTS; i++) {
    if (share[i] === 0) continue;
    const apart = (j: number): number =>
      Math.hypot(vertices[3 * i]! - vertices[3 * j]!, vertices[3 * i + 1]! - vertices[3 * j + 1]!);
    const nearest = LIPS_INNER.map((inner, k) => Math.min(apart(inner), apart(LIPS_OUTER[k]!)));
    const k = nearest.indexOf(Math.min(...nearest));
    column[i] = k;
    if (k !== 0 && k !== LEFT_CORNER) side[i] = k < LEFT_CORNER ? share[i]! : -share[i]!;
  }
  return { column, side };
}

/**
 * What the source's shape differs by from one live face's. The live face's usual shape is the mean of its points over
 * the last frames, each laid over the mean by a similarity; the difference to the source does not change with the
 * live expression, so all of that expression is kept where it is added. How far a mouth is open is no difference.
 */
export class ShapeDifference implements ShapePair {
  readonly #source: Float32Array;
  readonly #sourceSmile: number;
  readonly #lips: LipColumns;
  readonly #tuning: ShapeDifferenceTuning;
  #frames = 0;
  #samples = 0;
  /** The usual live face: x, y, z of 468 points, in the pose and size of the first frame. */
  readonly usual = new Float32Array(POINTS * 3);
  /** From each point of the usual live face to the source's place, in the same space. */
  readonly toSource = new Float32Array(POINTS * 3);
  /** How alike both faces smile, 0..1. */
  smileLikeness = 1;

  /** @param source x, y, z of 468 points, at any place and size. */
  constructor(source: Float32Array, lips: LipColumns, tuning: ShapeDifferenceTuning = SHAPE_DIFFERENCE_TUNING) {
    this.#source = source;
    this.#sourceSmile = smileOf(source);
    this.#lips = lips;
    this.#tuning = tuning;
  }

  /** Takes over what another one has learned of the same live face. */
  learnFrom(other: ShapeDifference): void {
    this.usual.set(other.usual);
    this.#samples = other.#samples;
  }

  /** Learns from a frame, or passes it over. @param live x, y, z of at least 468 points in pixels of the frame. */
  follow(live: Float32Array): void {
    const { firstFrames, everyFrames, samples } = this.#tuning;
    if (this.#frames++ >= firstFrames && this.#frames % everyFrames !== 0) return;
    this.#samples++;
    const usual = this.usual;
    if (this.#samples === 1) usual.set(live.subarray(0, usual.length));
    const share = 1 / Math.min(this.#samples, samples);
    forEachMoved(live, usual, (at, value) => {
      usual[at]! += share * (value - usual[at]!);
    });
    const { toSource } = this;
    forEachMoved(this.#source, usual, (at, value) => {
      toSource[at] = value - usual[at]!;
    });
    this.smileLikeness = 1 - Math.abs(smileOf(usual) - this.#sourceSmile);
    this.#matchLips();
  }

  /** Gives the lips of both faces the same gap: how far a mouth is open is expression. */
  #matchLips(): void {
    const { toSource } = this;
    const { column, side } = this.#lips;
    const half = new Float32Array(LIP_POINTS * 3);
    for (let k = 1; k < LEFT_CORNER; k++) {
      const [upper, lower] = [LIPS_INNER[k]!, LIPS_INNER[LIP_POINTS - k]!];
      for (let c = 0; c < 3; c++) {
        const gap = toSource[3 * lower + c]! - toSource[3 * upper + c]!;
        half[3 * k + c] = half[3 * (LIP_POINTS - k) + c] = gap / 2;
      }
    }
    for (let i = 0; i < POINTS; i++) {
      if (side[i] === 0) continue;
      for (let c = 0; c < 3; c++) toSource[3 * i + c]! += side[i]! * half[3 * column[i]! + c]!;
    }
  }
}

/** Calls back with each coordinate of `from` laid over `to` by the least-squares similarity. */
function forEachMoved(from: Float32Array, to: Float32Array, visit: (at: number, value: number) => void): void {
  const fit = fitSimilarity3(from, to);
  const { matrix } = fit;
  for (let i = 0; i < POINTS * 3; i += 3) {
    const [x, y, z] = [from[i]! - fit.from[0], from[i + 1]! - fit.from[1], from[i + 2]! - fit.from[2]];
    for (let k = 0; k < 3; k++)
      visit(i + k, matrix[3 * k]! * x + matrix[3 * k + 1]! * y + matrix[3 * k + 2]! * z + fit.to[k]!);
  }
}
