/**
 * The source's face shape on the live face. The source's points in three dimensions are laid over the live ones by a
 * least-squares similarity; every point then moves some way towards where the source's would be. Eyes and mouth, which
 * show expression, move only as a whole, so that they are placed as the source's and open as the live person's; the rim
 * is held, and the movement fades out towards it.
 */

import { fitSimilarity3 } from '../../face/pose.ts';
import { BROW_LEFT, BROW_RIGHT, EYE_LEFT, EYE_RIGHT, LIPS_OUTER, POINTS, type Topology } from '../../face/topology.ts';

const smoothstep = (from: number, to: number, x: number): number => {
  const t = Math.min(1, Math.max(0, (x - from) / (to - from)));
  return t * t * (3 - 2 * t);
};

/** How far brows take the source's shape, as they are shape and expression both. */
const BROW_FREEDOM = 0.5;
/** How far eyes and mouth go to the source's places. */
const EYES_SHARE = 0.3;
const MOUTH_SHARE = 0.3;

/**
 * Of a head turned from how the photo saw it less of the shape is taken, as its depth is guessed from one photo: sines
 * of the angle from, to, and the share that is then left.
 */
const TURNED = [0.3, 0.8] as const;
const TURNED_SHARE = 0.4;

/** A part that moves as a whole. */
interface Part {
  points: readonly number[];
  /** How much of the part's movement each of 468 points takes. */
  weight: Float32Array;
}

export interface Freedom {
  /** How much of its own movement each of 468 points takes, 0..1. */
  free: Float32Array;
  parts: Part[];
}

export function freedom({ ring, fromEyes, fromMouth, vertices }: Topology): Freedom {
  const brows = new Set([...BROW_LEFT, ...BROW_RIGHT]);
  const each = (value: (i: number) => number): Float32Array =>
    Float32Array.from({ length: POINTS }, (_, i) => value(i));
  const rim = each((i) => smoothstep(0, 3, ring[i]!));
  const eyes = each((i) => 1 - smoothstep(0, 3, fromEyes[i]!));
  // Widely, as a smile moves the cheeks too: a mouth drawn towards a closed one would fold over the open one.
  const mouth = each((i) => 1 - smoothstep(1, 8, fromMouth[i]!));
  const free = each((i) => rim[i]! * (1 - eyes[i]!) * (1 - mouth[i]!) * (brows.has(i) ? BROW_FREEDOM : 1));
  // The model's right eye lies at negative x.
  const eye = (side: number): Float32Array =>
    each((i) => (side * vertices[3 * i]! > 0 ? EYES_SHARE * rim[i]! * eyes[i]! : 0));
  return {
    free,
    parts: [
      { points: EYE_RIGHT, weight: eye(-1) },
      { points: EYE_LEFT, weight: eye(1) },
      { points: LIPS_OUTER, weight: each((i) => MOUTH_SHARE * rim[i]! * mouth[i]!) },
    ],
  };
}

/**
 * Moves the points of `live` (x, y of 468 at 3 floats) towards the source's shape into `out` (x, y at 2 floats).
 * @param source x, y, z of 468, any place and size.
 * @param amount 0..1
 */
export function reshape(
  ...[live, source, { free, parts }, amount, out]: [Float32Array, Float32Array, Freedom, number, Float32Array]
): void {
  const fit = fitSimilarity3(source, live);
  const [xx, xy, xz, yx, yy, yz] = fit.matrix as unknown as [number, number, number, number, number, number];
  const [fromX, fromY, fromZ] = fit.from;
  const [toX, toY] = fit.to;
  for (let i = 0, o = 0; i < POINTS * 3; i += 3, o += 2) {
    const [x, y, z] = [source[i]! - fromX, source[i + 1]! - fromY, source[i + 2]! - fromZ];
    move[o] = xx * x + xy * y + xz * z + toX - live[i]!;
    move[o + 1] = yx * x + yy * y + yz * z + toY - live[i + 1]!;
  }
  const turned = smoothstep(...TURNED, Math.hypot(xz, yz) / Math.hypot(xx, xy, xz));
  const share = amount * (1 - (1 - TURNED_SHARE) * turned);
  const whole = parts.map(({ points }) => meanMove(points));
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

const move = new Float32Array(POINTS * 2);

function meanMove(points: readonly number[]): [number, number] {
  let [x, y] = [0, 0];
  for (const i of points) {
    x += move[2 * i]! / points.length;
    y += move[2 * i + 1]! / points.length;
  }
  return [x, y];
}
