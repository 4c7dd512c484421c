/**
 * Draws a sheet of a folder's photos as enrolment sees them. With `all`: as painted, without the network, with it, what is
 * no skin, the result; otherwise as painted and the result.
 *
 *   npx esbuild training/atlas-sheets.ts --bundle --platform=node --format=esm --packages=external --outfile=dist/atlas-sheets.mjs
 *   node dist/atlas-sheets.mjs FOLDER OUT [FIRST] [COUNT] [all]
 */

import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { decodePicture } from '../src/faces/portrait.ts';
import { MESH_TUNING } from '../src/pipeline/engines/mesh/mesh-tuning.ts';
import { paintAtlas } from '../src/pipeline/engines/mesh/source/atlas.ts';
import { ATLAS, atlasPoints, BLACK, GREY, type Planes } from '../src/pipeline/engines/mesh/source/atlas-layout.ts';
import { delight } from '../src/pipeline/engines/mesh/source/delight.ts';
import { PhotoLight } from '../src/pipeline/engines/mesh/source/photo-light.ts';
import { areasOf, findOutliers } from '../src/pipeline/engines/mesh/source/skin-segmentation.ts';
import { readTopology } from '../src/pipeline/face/topology.ts';
import { openSession } from '../src/pipeline/inference/model-session.ts';
import { readCatalogue } from '../src/pipeline/models/catalogue.ts';
import { modelsDir, startLane } from '../test/support/lane.ts';

const [folder, out, first = '0', count = '1000', stages = 'two'] = process.argv.slice(2);
if (folder === undefined || out === undefined) throw new Error('Name the folder of photos and the one to write to.');
mkdirSync(out, { recursive: true });
const catalogue = readCatalogue(modelsDir);
const topology = readTopology(catalogue.read(catalogue.forRole('face-geometry')));
const at = atlasPoints(topology);
const entry = catalogue.forRole('delight');
const light = new PhotoLight(await openSession(entry, catalogue.read(entry), { threads: 1 }));
const lane = await startLane();
const S = 192;
async function rgb({ y, u, v }: Planes): Promise<Buffer> {
  const b = Buffer.alloc(ATLAS * ATLAS * 3);
  for (let p = 0; p < ATLAS * ATLAS; p++) {
    const c = (Math.floor(p / ATLAS) >> 1) * (ATLAS / 2) + ((p % ATLAS) >> 1);
    const l = 1.164 * (y[p]! - BLACK),
      cb = u[c]! - GREY,
      cr = v[c]! - GREY;
    [l + 1.596 * cr, l - 0.392 * cb - 0.813 * cr, l + 2.017 * cb].forEach((x, k) => {
      b[3 * p + k] = Math.min(255, Math.max(0, x));
    });
  }
  return sharp(b, { raw: { width: ATLAS, height: ATLAS, channels: 3 } })
    .resize(S, S)
    .png()
    .toBuffer();
}
const copy = (p: Planes): Planes => ({ y: p.y.slice(), u: p.u.slice(), v: p.v.slice() });
const rows: Buffer[][] = [];
for (const name of readdirSync(folder)
  .filter((n) => /\.(jpg|png|webp)$/.test(n))
  .sort()
  .slice(Number(first), Number(first) + Number(count))) {
  const picture = await decodePicture(readFileSync(path.join(folder, name)), { bytes: 1e8, pixels: 1e8 });
  const [face] = await lane.analyse(picture);
  if (face === undefined) continue;
  const planes = paintAtlas([{ picture, points: face.points }], topology);
  const areas = areasOf(topology, at);
  const a = await rgb(planes);
  const old = copy(planes);
  delight(old, areas, findOutliers(old, areas), MESH_TUNING.delight);
  await light.remove(planes);
  const b = await rgb(planes);
  const o = findOutliers(planes, areas);
  const m = await sharp(Buffer.from(o.outliers.map((x) => 255 * x)), { raw: { width: 128, height: 128, channels: 1 } })
    .resize(S, S)
    .toColourspace('srgb')
    .png()
    .toBuffer();
  delight(planes, areas, o, MESH_TUNING.delight);
  rows.push(stages === 'all' ? [a, await rgb(old), b, m, await rgb(planes)] : [a, await rgb(planes)]);
}
const per = stages === 'all' ? 2 : 5;
const width = rows[0]!.length * per;
await sharp({
  create: { width: width * S, height: Math.ceil(rows.length / per) * S, channels: 3, background: 'black' },
})
  .composite(
    rows.flatMap((r, i) =>
      r.map((input, k) => ({ input, left: ((i % per) * r.length + k) * S, top: Math.floor(i / per) * S })),
    ),
  )
  .png()
  .toFile(path.join(out, 'sheet.png'));
await lane.end();
