/**
 * Weight of each point of the mesh in the measurement of light, and how much of the light's colour each point takes.
 */

import { BROW_LEFT, BROW_RIGHT, LIPS_OUTER, POINTS, type Topology } from '../../../face/topology.ts';
import { BLACK } from '../source/atlas-layout.ts';
import { RELIGHT_TUNING, type RelightTuning } from './relight-tuning.ts';

/** Weight of each of 468 points in the measurement of light, 0..1: 0 at eyes, brows and lips, where faces differ. */
export function skinWeights(topology: Topology, tuning: RelightTuning = RELIGHT_TUNING): Float32Array {
  const { fromEyes, fromMouth, vertices } = topology;
  const { mouthRings, eyeRings, beardBelow, beardWeight } = tuning;
  const hairy = new Set([...BROW_LEFT, ...BROW_RIGHT, ...LIPS_OUTER]);
  return Float32Array.from({ length: POINTS }, (_, i) => {
    if (hairy.has(i) || fromMouth[i]! <= mouthRings || fromEyes[i]! <= eyeRings) return 0;
    return vertices[3 * i + 1]! < beardBelow ? beardWeight : 1;
  });
}

/**
 * How much of the light's colour each of 468 points takes, 0..1. Coloured light multiplies, so brows and lashes take
 * little; an offset made for skin would leave them violet. Squared, as a point's mean colour includes skin beside the
 * brow.
 * @param source mean Y, U, V at each point.
 * @param skin as `skinWeights` returns it.
 */
export function tintShares(source: Float32Array, skin: Float32Array): Float32Array {
  const luma = Float32Array.from({ length: POINTS }, (_, i) => Math.max(0, source[3 * i]! - BLACK));
  const bright = luma.filter((_, i) => skin[i]! > 0).sort();
  const median = bright[bright.length >> 1] || 1;
  return luma.map((value) => Math.min(1, value / median) ** 2);
}
