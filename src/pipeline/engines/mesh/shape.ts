import { fitSimilarity3 } from '../../face/pose.ts';
import { BROW_LEFT, BROW_RIGHT, EYE_LEFT, EYE_RIGHT, LIPS_OUTER, POINTS, type Topology } from '../../face/topology.ts';

/**
 * Tuning of how far the live face takes the source's shape. Rings are edges of the mesh; pairs "from, to" are the
 * ends of a smoothstep. Hand-tuned, and checked by the looks measurements (bench/README.md) over five webcam clips,
 * unless a field says what set it.
 */
export const SHAPE_TUNING = {
  /** Ring from the rim up to which points are held. */
  rimFrom: 0,
  /** Ring from which points move freely. */
  rimTo: 3,
  /** Edges from an eye up to which points move with the eye as a whole. */
  eyesFrom: 0,
  /** Edges from an eye from which points move by themselves. */
  eyesTo: 3,
  /** Edges from the mouth's inner edge up to which points move with the mouth as a whole. */
  mouthFrom: 1,
  /**
   * Edges from there from which points move by themselves: many, as a smile moves the cheeks too. A mouth drawn
   * towards a closed one would fold over an open one.
   */
  mouthTo: 8,
  /** Factor on the movement of brows, 0..1: they are shape and expression both. */
  browShare: 0.7,
  /** Share of the way that eyes move to the source's places; 0..1. */
  eyesShare: 0.6,
  /** Share of the way that the mouth moves to the source's place; 0..1. */
  mouthShare: 0.5,
  /**
   * Sine of the angle to the photo's pose, 0..1, up to which all of the shape is taken; beyond it less, as the depth
   * is guessed from one photo.
   */
  turnedFrom: 0.3,
  /** Sine of that angle from which `turnedShare` is taken; above `turnedFrom`. */
  turnedTo: 0.8,
  /** Share of the shape that is taken beyond that; 0..1. */
  turnedShare: 0.4,
};

/** Values of the shape transfer that an experiment may set anew; see `SHAPE_TUNING` for units and ranges. */
export type ShapeTuning = Readonly<typeof SHAPE_TUNING>;

const smoothstep = (from: number, to: number, x: number): number => {
  const t = Math.min(1, Math.max(0, (x - from) / (to - from)));
  return t * t * (3 - 2 * t);
};

/** A part that moves as a whole. */
interface Part {
  points: readonly number[];
  /** How much of the part's movement each of 468 points takes, 0..1. */
  weight: Float32Array;
}

/**
 * Puts the source's face shape on the live face. The source's points in three dimensions are laid over the live ones
 * by a least-squares similarity; every point then moves some way towards the source's. Eyes and mouth, which show
 * expression, move only as a whole, so that they lie where the source's do and open as the live person's; the rim is
 * held, and the movement fades out towards it. One instance a lane, used by every face in turn.
 */
export class ShapeTransfer {
  readonly #tuning: ShapeTuning;
  /** How much of its own movement each of 468 points takes, 0..1. */
  readonly #free: Float32Array;
  readonly #parts: readonly Part[];
  /** Movement of each point to the source's place, x, y in pixels. */
  readonly #move = new Float32Array(POINTS * 2);

  constructor({ ring, fromEyes, fromMouth, vertices }: Topology, tuning: ShapeTuning = SHAPE_TUNING) {
    const { rimFrom, rimTo, eyesFrom, eyesTo, mouthFrom, mouthTo, browShare, eyesShare, mouthShare } = tuning;
    const brows = new Set([...BROW_LEFT, ...BROW_RIGHT]);
    const each = (value: (i: number) => number): Float32Array =>
      Float32Array.from({ length: POINTS }, (_, i) => value(i));
    const rim = each((i) => smoothstep(rimFrom, rimTo, ring[i]!));
    const eyes = each((i) => 1 - smoothstep(eyesFrom, eyesTo, fromEyes[i]!));
    const mouth = each((i) => 1 - smoothstep(mouthFrom, mouthTo, fromMouth[i]!));
    // The model's right eye lies at negative x.
    const eye = (side: number): Float32Array =>
      each((i) => (side * vertices[3 * i]! > 0 ? eyesShare * rim[i]! * eyes[i]! : 0));
    this.#tuning = tuning;
    this.#free = each((i) => rim[i]! * (1 - eyes[i]!) * (1 - mouth[i]!) * (brows.has(i) ? browShare : 1));
    this.#parts = [
      { points: EYE_RIGHT, weight: eye(-1) },
      { points: EYE_LEFT, weight: eye(1) },
      { points: LIPS_OUTER, weight: each((i) => mouthShare * rim[i]! * mouth[i]!) },
    ];
  }

  /**
   * Moves the live points towards the source's shape.
   * @param live x, y, z of at least 468 points in pixels of the frame.
   * @param source x, y, z of 468, at any place and size.
   * @param amount 0..1.
   * @param out is written: x, y of 468 in pixels of the frame.
   */
  reshape(live: Float32Array, source: Float32Array, amount: number, out: Float32Array): void {
    const { turnedFrom, turnedTo, turnedShare } = this.#tuning;
    const free = this.#free;
    const parts = this.#parts;
    const move = this.#move;
    const fit = fitSimilarity3(source, live);
    const [xx, xy, xz, yx, yy, yz] = fit.matrix as unknown as [number, number, number, number, number, number];
    const [fromX, fromY, fromZ] = fit.from;
    const [toX, toY] = fit.to;
    for (let i = 0, o = 0; i < POINTS * 3; i += 3, o += 2) {
      const [x, y, z] = [source[i]! - fromX, source[i + 1]! - fromY, source[i + 2]! - fromZ];
      move[o] = xx * x + xy * y + xz * z + toX - live[i]!;
      move[o + 1] = yx * x + yy * y + yz * z + toY - live[i + 1]!;
    }
    const turned = smoothstep(turnedFrom, turnedTo, Math.hypot(xz, yz) / Math.hypot(xx, xy, xz));
    const share = amount * (1 - (1 - turnedShare) * turned);
    const whole = parts.map(({ points }) => this.#meanMove(points));
    for (let i = 0; i < POINTS; i++) {
      let [x, y] = [free[i]! * move[2 * i]!, free[i]! * move[2 * i + 1]!];
      for (let k = 0; k < parts.length; k++) {
        const w = parts[k]!.weight[i]!;
        x += w * whole[k]![0];
        y += w * whole[k]![1];
      }
      out[2 * i] = live[3 * i]! + share * x;
      out[2 * i + 1] = live[3 * i + 1]! + share * y;
    }
  }

  #meanMove(points: readonly number[]): [number, number] {
    const move = this.#move;
    let [x, y] = [0, 0];
    for (const i of points) {
      x += move[2 * i]! / points.length;
      y += move[2 * i + 1]! / points.length;
    }
    return [x, y];
  }
}
