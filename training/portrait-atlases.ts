/**
 * Writes what training/delight.py trains on: the unwrapped face of each portrait of a folder, 128×128 RGB 0..1, with the
 * place of each texel on the canonical face and what it shows.
 *
 *   npx esbuild training/portrait-atlases.ts --bundle --platform=node --format=esm --packages=external --outfile=dist/portrait-atlases.mjs
 *   node dist/portrait-atlases.mjs FOLDER OUT
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { decodePicture } from '../src/faces/portrait.ts';
import { paintAtlas } from '../src/pipeline/engines/mesh/source/atlas.ts';
import { ATLAS, atlasPoints, BLACK, GREY } from '../src/pipeline/engines/mesh/source/atlas-layout.ts';
import { forEachPixel } from '../src/pipeline/engines/mesh/source/rasterise.ts';
import { areasOf } from '../src/pipeline/engines/mesh/source/skin-segmentation.ts';
import { GRID, GRID_STEP, shrink } from '../src/pipeline/engines/mesh/source/texel-grid.ts';
import { readTopology } from '../src/pipeline/face/topology.ts';
import { readCatalogue } from '../src/pipeline/models/catalogue.ts';
import { modelsDir, startLane } from '../test/support/lane.ts';

const [folder, out] = process.argv.slice(2);
if (folder === undefined || out === undefined) throw new Error('Name the folder of portraits and the one to write to.');
const catalogue = readCatalogue(modelsDir);
const topology = readTopology(catalogue.read(catalogue.forRole('face-geometry')));
const at = atlasPoints(topology);
const grid = at.map((v) => v / GRID_STEP);
const position = new Float32Array(GRID * GRID * 3);
const all = new Uint16Array([...topology.skin, ...topology.holes]);
forEachPixel(all, grid, GRID, (p, c, w) => {
  for (let k = 0; k < 3; k++)
    position[3 * p + k] =
      w[0] * topology.vertices[3 * c[0] + k]! +
      w[1] * topology.vertices[3 * c[1] + k]! +
      w[2] * topology.vertices[3 * c[2] + k]!;
});
writeFileSync(path.join(out, 'position.f32'), new Uint8Array(position.buffer));
const areas = areasOf(topology, at);
writeFileSync(
  path.join(out, 'areas.u8'),
  Buffer.concat(
    [areas.covered, areas.holes, areas.features, areas.brows, areas.core, areas.outskirts].map((a) => Buffer.from(a)),
  ),
);
const lane = await startLane();
const parts: Buffer[] = [];
const names: string[] = [];
for (const name of readdirSync(folder)
  .filter((n) => /\.(jpg|png)$/.test(n))
  .sort()) {
  const picture = await decodePicture(readFileSync(path.join(folder, name)), { bytes: 1e8, pixels: 1e8 });
  const [face] = await lane.analyse(picture);
  if (face === undefined) {
    console.log('none', name);
    continue;
  }
  const planes = paintAtlas([{ picture, points: face.points }], topology);
  const [y, u, v] = [shrink(planes.y, ATLAS), shrink(planes.u, ATLAS / 2), shrink(planes.v, ATLAS / 2)];
  const rgb = new Float32Array(GRID * GRID * 3);
  for (let p = 0; p < GRID * GRID; p++) {
    const [l, b, r] = [1.164 * (y[p]! - BLACK), u[p]! - GREY, v[p]! - GREY];
    rgb.set(
      [l + 1.596 * r, l - 0.392 * b - 0.813 * r, l + 2.017 * b].map((c) => Math.min(255, Math.max(0, c)) / 255),
      3 * p,
    );
  }
  parts.push(Buffer.from(rgb.buffer));
  names.push(name);
}
writeFileSync(path.join(out, 'atlases.f32'), Buffer.concat(parts));
writeFileSync(path.join(out, 'names.json'), JSON.stringify(names));
console.log(names.length);
await lane.end();
