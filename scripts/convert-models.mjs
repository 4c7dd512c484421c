/**
 * Makes models/ from the npm devDependencies: `npm run models:convert [-- FOLDER]`. The same packages give the same
 * bytes. Prints each file's sha256, which models.yaml lists.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as models from './convert/default-models.mjs';

const folder = process.argv[2] ?? path.join(path.dirname(fileURLToPath(import.meta.url)), '../models');
const files = {
  'face-detector.onnx': models.faceDetector,
  'face-mesh.onnx': models.faceMesh,
  'face-embedder.onnx': models.faceEmbedder,
  'face-geometry.json': models.faceGeometry,
  'person-segmenter.onnx': models.personSegmenter,
};
mkdirSync(folder, { recursive: true });
for (const [name, make] of Object.entries(files)) {
  const bytes = make();
  const file = path.join(folder, name);
  writeFileSync(`${file}.part`, bytes);
  renameSync(`${file}.part`, file);
  console.log(`${createHash('sha256').update(bytes).digest('hex')}  ${name}  ${bytes.length}`);
}
