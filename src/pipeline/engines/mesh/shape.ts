/**
 * The source's face shape on the live face. The source's points in three dimensions are laid over the live ones by a
 * least-squares similarity; every point then moves some way towards where the source's would be. What shows expression
 * (lids, lips) and the rim is held, and the movement fades out towards what is held.
 */

import { fitSimilarity3 } from '../../pose.ts';
import { BROW_LEFT, BROW_RIGHT, POINTS, type Topology } from '../../topology.ts';

const smoothstep = (from: number, to: number, x: number): number => {
  const t = Math.min(1, Math.max(0, (x - from) / (to - from)));
  return t * t * (3 - 2 * t);
};

const BROWS = new Set([...BROW_LEFT, ...BROW_RIGHT]);
/** Brows are shape and expression both. */
const BROW_FREEDOM = 0.3;

/** How freely each point may move, 0..1: held at the rim, the lids and the lips, and partly at the brows. */
export function freedom(topology: Topology): Float32Array {
  return Float32Array.from({ length: POINTS }, (_, i) => {
    const rim = smoothstep(0, 3, topology.ring[i]!);
    const eyes = smoothstep(0, 3, topology.fromEyes[i]!);
    const mouth = smoothstep(1, 4, topology.fromMouth[i]!);
    return rim * eyes * mouth * (BROWS.has(i) ? BROW_FREEDOM : 1);
  });
}

/**
 * Moves the points of `live` (x, y of 468 at 3 floats) towards the source's shape into `out` (x, y at `stride` floats).
 * @param source x, y, z of 468, any place and size.
 * @param amount 0..1
 */
export function reshape(
  ...[live, source, free, amount, out]: [Float32Array, Float32Array, Float32Array, number, Float32Array]
): void {
  const fit = fitSimilarity3(source, live);
  for (let i = 0, o = 0; i < POINTS * 3; i += 3, o += 2) {
    const w = amount * free[i / 3]!;
    const [x, y, z] = [source[i]! - fit.from[0], source[i + 1]! - fit.from[1], source[i + 2]! - fit.from[2]];
    const m = fit.matrix;
    const sx = m[0]! * x + m[1]! * y + m[2]! * z + fit.to[0];
    const sy = m[3]! * x + m[4]! * y + m[5]! * z + fit.to[1];
    out[o] = live[i]! + w * (sx - live[i]!);
    out[o + 1] = live[i + 1]! + w * (sy - live[i + 1]!);
  }
}
