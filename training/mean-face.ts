/**
 * Makes src/pipeline/engines/mesh/light/mean-face.json from a folder of portraits: enrols each, takes what light is left off
 * its colours and writes the median at each of 468 points. Deterministic.
 *
 *   npx esbuild training/mean-face.ts --bundle --platform=node --format=esm --packages=external --outfile=dist/mean-face.mjs
 *   node dist/mean-face.mjs FOLDER [EVERY]
 *
 * EVERY takes only each so-manieth portrait in the order of names (3 made the file in the repository, of 178 portraits).
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { decodePicture } from '../src/faces/portrait.ts';
import { root } from '../src/lib/package-root.ts';
import { relativeColours } from '../src/pipeline/engines/mesh/light/log-luma.ts';
import { MeshQuadratic } from '../src/pipeline/engines/mesh/light/mesh-quadratic.ts';
import { RELIGHT_TUNING } from '../src/pipeline/engines/mesh/light/relight-tuning.ts';
import { skinWeights } from '../src/pipeline/engines/mesh/light/skin-weights.ts';
import { POINTS, readTopology } from '../src/pipeline/face/topology.ts';
import { readCatalogue } from '../src/pipeline/models/catalogue.ts';
import { modelsDir, startLane } from '../test/support/lane.ts';

const ROUNDS = 6;
const OUT = path.join(root, 'src/pipeline/engines/mesh/light/mean-face.json');

const [folder, every = '1'] = process.argv.slice(2);
if (folder === undefined) throw new Error('Name the folder of portraits.');
const catalogue = readCatalogue(modelsDir);
const topology = readTopology(catalogue.read(catalogue.forRole('face-geometry')));
const quadratic = new MeshQuadratic(topology);
const skin = skinWeights(topology);

/** Relative colours of every portrait that has a face, and mirrored. */
async function readFaces(): Promise<Float32Array[]> {
  const lane = await startLane();
  const faces: Float32Array[] = [];
  const names = readdirSync(folder!)
    .sort()
    .filter((_, n) => n % Number(every) === 0);
  for (const name of names) {
    const picture = await decodePicture(readFileSync(path.join(folder!, name)), { bytes: 1e8, pixels: 1e8 });
    const [face] = await lane.analyse(picture);
    if (face === undefined) continue;
    const { colours } = await lane.enrol([{ picture, points: face.points }]);
    const own = relativeColours(colours);
    faces.push(
      own,
      own.map((_, at) => own[3 * topology.mirror[Math.floor(at / 3)]! + (at % 3)]!),
    );
  }
  await lane.end();
  return faces;
}

const medianOf = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;

/** A face less the light that makes it most like the mean (iteratively reweighted least squares). */
function unlit(face: Float32Array, mean: Float32Array): Float32Array {
  const difference = face.map((value, at) => value - mean[at]!);
  const weight = skin.slice();
  let fit = quadratic.fit(difference, weight);
  for (let pass = 0; pass < ROUNDS; pass++) {
    for (let i = 0; i < POINTS; i++) {
      const off = (difference[3 * i]! - quadratic.valueAt(fit, i, 0)) / RELIGHT_TUNING.unlikeLuma;
      weight[i] = skin[i]! / (1 + off ** 4);
    }
    fit = quadratic.fit(difference, weight);
  }
  return face.map((value, at) => value - quadratic.valueAt(fit, Math.floor(at / 3), at % 3));
}

const faces = await readFaces();
let mean = new Float32Array(POINTS * 3);
for (let round = 0; round < ROUNDS; round++) {
  const even = faces.map((face) => unlit(face, mean));
  mean = mean.map((_, at) => medianOf(even.map((face) => face[at]!)));
}
const steps = (values: Float32Array): number[] => Array.from(values, (value) => Math.round(1e4 * value));
writeFileSync(OUT, JSON.stringify({ mean: steps(mean) }));
console.log(`${faces.length / 2} portraits`);
