import { fitSimilarity3 } from '../../face/pose.ts';
import { BROW_LEFT, BROW_RIGHT, EYE_LEFT, EYE_RIGHT, LIPS_OUTER, POINTS, type Topology } from '../../face/topology.ts';

/**
 * Tuning of how far the live face takes the source's shape. Rings are edges of the mesh; pairs "from, to" are the
 * ends of a smoothstep. Hand-tuned, and checked by the looks measurements (bench/README.md) over twenty webcam
 * pairs, unless a field says what set it.
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
  /** Factor on the movement of brows; 0..1. */
  browShare: 1,
  /** Share of the source's eye shape that is taken over, 0..1: at 1 a live eye's opening is told less well. */
  eyesOwn: 0.5,
  /** Share of the source's mouth shape that is taken over, 0..1: at 1 the mouth's opening is told less well. */
  mouthOwn: 0.7,
  /** Share of the live expression that brows lose, 0..1. */
  browStill: 0,
  /** Share of the live expression that skin away from eyes and mouth loses, 0..1: its landmarks are noise mostly. */
  skinStill: 1,
  /** Share of the way that eyes move to the source's places; 0..1. */
  eyesShare: 0.7,
  /** Share of the way that the mouth moves to the source's place; 0..1. */
  mouthShare: 1,
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

/** How much of the mouth's movement each of 468 points takes, 0..1. */
export function mouthShares({ fromMouth }: Topology, { mouthFrom, mouthTo }: ShapeTuning = SHAPE_TUNING): Float32Array {
  return Float32Array.from(fromMouth.subarray(0, POINTS), (edges) => 1 - smoothstep(mouthFrom, mouthTo, edges));
}

/** A live face's usual shape, and what the source's differs by from it. */
export interface ShapePair {
  /** x, y, z of 468 points, at any place and size. */
  readonly usual: Float32Array;
  /** From each of these points to the source's place, in the same space. */
  readonly toSource: Float32Array;
  /** How alike both faces smile, 0..1: what mouths differ by is expression otherwise, and no shape. */
  readonly smileLikeness: number;
}

/** A part that moves as a whole. */
interface Part {
  points: readonly number[];
  /** How much of the part's movement each of 468 points takes, 0..1. */
  weight: Float32Array;
  /** Share of each point's own movement beside that of the whole, 0..1. */
  own: number;
  /** Of an eye: its corners, and a point on either lid between them. */
  lids: Lids | null;
}

type Lids = readonly [corner: number, otherCorner: number, upper: number, lower: number];

const LIDS_RIGHT: Lids = [33, 133, 159, 145];
const LIDS_LEFT: Lids = [362, 263, 386, 374];

/** An eye in a frame. */
interface EyeOpening {
  /** How far it is open, as a share of usual, 0..1. */
  open: number;
  /** The unit vector along it, x and y. */
  along: [number, number];
}

function eyeOpening([from, to, upper, lower]: Lids, live: Float32Array, usual: Float32Array): EyeOpening {
  const apart = (p: Float32Array, a: number, b: number): number =>
    Math.hypot(p[3 * a]! - p[3 * b]!, p[3 * a + 1]! - p[3 * b + 1]!, p[3 * a + 2]! - p[3 * b + 2]!);
  const openness = (p: Float32Array): number => apart(p, upper, lower) / apart(p, from, to);
  const [x, y] = [live[3 * to]! - live[3 * from]!, live[3 * to + 1]! - live[3 * from + 1]!];
  const length = Math.hypot(x, y) || 1;
  return { open: Math.min(1, openness(live) / (openness(usual) || 1)), along: [x / length, y / length] };
}

/**
 * Puts the source's face shape on the live face: what the source differs by from the usual live face is turned as the
 * head is and added to the live points, so that the live expression stays. Eyes and mouth move as a whole to the
 * source's place, and take part of its shape; lids that meet stay together. The rim is held, and the movement fades
 * out towards it. One instance a lane, used by every face in turn.
 */
export class ShapeTransfer {
  readonly #tuning: ShapeTuning;
  /** How much of its own movement each of 468 points takes, 0..1. */
  readonly #free: Float32Array;
  /** How much of its expression each of 468 points loses, 0..1. */
  readonly #still: Float32Array;
  readonly #parts: readonly Part[];
  /** Movement of each point to the source's place, x, y in pixels. */
  readonly #move = new Float32Array(POINTS * 2);

  constructor(topology: Topology, tuning: ShapeTuning = SHAPE_TUNING) {
    const { ring, fromEyes, vertices } = topology;
    const { rimFrom, rimTo, eyesFrom, eyesTo, browShare, eyesShare, mouthShare, browStill, skinStill } = tuning;
    const brows = new Set([...BROW_LEFT, ...BROW_RIGHT]);
    const each = (value: (i: number) => number): Float32Array =>
      Float32Array.from({ length: POINTS }, (_, i) => value(i));
    const rim = each((i) => smoothstep(rimFrom, rimTo, ring[i]!));
    const eyes = each((i) => 1 - smoothstep(eyesFrom, eyesTo, fromEyes[i]!));
    const mouth = mouthShares(topology, tuning);
    // The model's right eye lies at negative x.
    const eye = (side: number): Float32Array =>
      each((i) => (side * vertices[3 * i]! > 0 ? eyesShare * rim[i]! * eyes[i]! : 0));
    this.#tuning = tuning;
    this.#free = each((i) => rim[i]! * (1 - eyes[i]!) * (1 - mouth[i]!) * (brows.has(i) ? browShare : 1));
    this.#still = each((i) => (1 - eyes[i]!) * (1 - mouth[i]!) * (brows.has(i) ? browStill : skinStill));
    const { eyesOwn, mouthOwn } = tuning;
    this.#parts = [
      { points: EYE_RIGHT, weight: eye(-1), own: eyesOwn, lids: LIDS_RIGHT },
      { points: EYE_LEFT, weight: eye(1), own: eyesOwn, lids: LIDS_LEFT },
      { points: LIPS_OUTER, weight: each((i) => mouthShare * rim[i]! * mouth[i]!), own: mouthOwn, lids: null },
    ];
  }

  /**
   * Moves the live points towards the source's shape.
   * @param amount 0..1.
   * @param out is written: x, y of 468 in pixels of the frame.
   */
  reshape(live: Float32Array, pair: ShapePair, amount: number, out: Float32Array): void {
    const { turnedFrom, turnedTo, turnedShare } = this.#tuning;
    const { usual, toSource } = pair;
    const free = this.#free;
    const still = this.#still;
    const parts = this.#parts;
    const move = this.#move;
    const pose = fitSimilarity3(usual, live);
    const [xx, xy, xz, yx, yy, yz] = pose.matrix as unknown as [number, number, number, number, number, number];
    const [fromX, fromY, fromZ] = pose.from;
    const [toX, toY] = pose.to;
    for (let i = 0, o = 0; i < POINTS * 3; i += 3, o += 2) {
      const [ux, uy, uz] = [usual[i]! - fromX, usual[i + 1]! - fromY, usual[i + 2]! - fromZ];
      const [dx, dy, dz] = [toSource[i]!, toSource[i + 1]!, toSource[i + 2]!];
      const s = still[o >> 1]!;
      move[o] = xx * dx + xy * dy + xz * dz + s * (xx * ux + xy * uy + xz * uz + toX - live[i]!);
      move[o + 1] = yx * dx + yy * dy + yz * dz + s * (yx * ux + yy * uy + yz * uz + toY - live[i + 1]!);
    }
    const turned = smoothstep(turnedFrom, turnedTo, Math.hypot(xz, yz) / Math.hypot(xx, xy, xz));
    const share = amount * (1 - (1 - turnedShare) * turned);
    const whole = parts.map(({ points }) => this.#meanMove(points));
    const eyes = parts.map(({ lids }) => (lids === null ? null : eyeOpening(lids, live, usual)));
    for (let i = 0; i < POINTS; i++) {
      let [x, y] = [free[i]! * move[2 * i]!, free[i]! * move[2 * i + 1]!];
      for (let k = 0; k < parts.length; k++) {
        const { weight, own: ownShare, lids } = parts[k]!;
        const own = lids === null ? ownShare * pair.smileLikeness : ownShare;
        const w = weight[i]!;
        if (w === 0) continue;
        const [wx, wy] = whole[k]!;
        let [ownX, ownY] = [move[2 * i]! - wx, move[2 * i + 1]! - wy];
        const eye = eyes[k]!;
        if (eye !== null) {
          // Lids that meet stay together: their own movement across the eye goes with its opening.
          const [ax, ay] = eye.along;
          const across = (1 - eye.open) * (ownY * ax - ownX * ay);
          ownX += across * ay;
          ownY -= across * ax;
        }
        x += w * (wx + own * ownX);
        y += w * (wy + own * ownY);
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
