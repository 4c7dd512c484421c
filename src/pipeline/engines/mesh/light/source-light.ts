import { POINTS } from '../../../face/topology.ts';
import { logOfLuma, lumaOfLog } from './log-luma.ts';
import type { MeshQuadratic } from './mesh-quadratic.ts';

/** A source face as relighting takes it; one entry for each of 468 points. */
export interface SourceLight {
  /** Natural log of luma; see `logOfLuma`. */
  log: Float32Array;
  /** Luma of the plain skin under the light that is left of the photo's, limited range: contrast is about it. */
  plain: Float32Array;
  /** Luma at the point, limited range. */
  luma: Float32Array;
}

/** @param colours mean Y, U, V at each point of the atlas. @param skin as `skinWeights` returns it. */
export function sourceLightOf(colours: Float32Array, skin: Float32Array, quadratic: MeshQuadratic): SourceLight {
  const luma = Float32Array.from({ length: POINTS }, (_, i) => colours[3 * i]!);
  const log = luma.map(logOfLuma);
  const logs = Float32Array.from({ length: POINTS * 3 }, (_, at) => (at % 3 === 0 ? log[at / 3]! : 0));
  const fit = quadratic.fit(logs, skin);
  return { log, plain: luma.map((_, i) => lumaOfLog(quadratic.valueAt(fit, i, 0))), luma };
}
