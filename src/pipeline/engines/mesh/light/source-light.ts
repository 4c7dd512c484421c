import { POINTS, type Topology } from '../../../face/topology.ts';
import { logOfLuma, lumaOfLog, relativeColours } from './log-luma.ts';
import { MEAN_FACE, type MeanFace } from './mean-face.ts';
import type { MeshQuadratic } from './mesh-quadratic.ts';
import type { RelightTuning } from './relight-tuning.ts';

/** A source face as relighting takes it; one entry for each of 468 points. */
export interface SourceLight {
  /** Log luma without what is trimmed. */
  log: Float32Array;
  /** What is trimmed off the log luma: light of the photo that no face has by nature, smooth over the mesh. */
  trim: Float32Array;
  /** Luma of the plain skin under the photo's light, limited range: contrast is about it. */
  plain: Float32Array;
  /** Luma at the point, limited range. */
  luma: Float32Array;
}

/**
 * Separates the photo's light from the source face: what lies further from the mean face than people differ is light.
 * @param colours mean Y, U, V at each point of the atlas. @param skin as `skinWeights` returns it.
 */
export function sourceLightOf(
  colours: Float32Array,
  skin: Float32Array,
  { topology, quadratic, tuning, meanFace = MEAN_FACE }: SourceLightParts,
): SourceLight {
  const { trimDeviations, trimSmoothing, unlikeLuma, firstFits } = tuning;
  const relative = relativeColours(colours).map((value, at) => value - meanFace.colours[at]!);
  const trim = new Float32Array(POINTS);
  const weight = skin.slice();
  for (let pass = 0; pass < firstFits; pass++) {
    const fit = quadratic.fit(relative, weight);
    for (let i = 0; i < POINTS; i++) {
      const off = relative[3 * i]! - quadratic.valueAt(fit, i, 0);
      weight[i] = skin[i]! / (1 + (off / unlikeLuma) ** 4);
      const most = trimDeviations * meanFace.deviation[i]!;
      trim[i] = Math.sign(off) * Math.max(0, Math.abs(off) - most);
    }
  }
  for (let pass = 0; pass < trimSmoothing; pass++) averageNeighbours(trim, topology);
  const luma = Float32Array.from({ length: POINTS }, (_, i) => colours[3 * i]!);
  const log = luma.map((value, i) => logOfLuma(value) - trim[i]!);
  const logs = Float32Array.from({ length: POINTS * 3 }, (_, at) => (at % 3 === 0 ? log[at / 3]! : 0));
  const plainFit = quadratic.fit(logs, skin);
  const plain = log.map((_, i) => lumaOfLog(quadratic.valueAt(plainFit, i, 0) + trim[i]!));
  return { log, trim, plain, luma };
}

/** What `sourceLightOf` needs beside the face. */
export interface SourceLightParts {
  topology: Topology;
  quadratic: MeshQuadratic;
  tuning: RelightTuning;
  meanFace?: MeanFace;
}

/** Replaces each value by the mean of it and its neighbours'. */
function averageNeighbours(values: Float32Array, { first, neighbours }: Topology): void {
  const before = values.slice();
  for (let i = 0; i < POINTS; i++) {
    const end = first[i + 1]!;
    let sum = before[i]!;
    for (let n = first[i]!; n < end; n++) sum += before[neighbours[n]!]!;
    values[i] = sum / (1 + end - first[i]!);
  }
}
