/**
 * Writes a software bill of materials (CycloneDX 1.5, JSON): the packages that are installed with FaceOff on any system, by
 * package-lock.json, and the models that it comes with. Nothing is fetched.
 *
 *   node scripts/sbom.mjs [FILE]        # dist/faceoff.cdx.json
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { load } from 'js-yaml';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const out = path.resolve(process.argv[2] ?? path.join(root, 'dist/faceoff.cdx.json'));

const { status, stdout, stderr } = spawnSync('npm', ['sbom', '--package-lock-only', '--sbom-format=cyclonedx'], {
  cwd: root,
  encoding: 'utf8',
  maxBuffer: 2 ** 26,
  shell: process.platform === 'win32',
});
if (status !== 0) {
  console.error(stderr);
  process.exit(1);
}
const bom = JSON.parse(stdout);

// `--omit=dev` of npm would also leave out what both FaceOff and a tool need.
const isTool = ({ properties = [] }) => properties.some(({ name }) => name === 'cdx:npm:package:development');
const tools = new Set(bom.components.filter(isTool).map((component) => component['bom-ref']));
bom.components = bom.components.filter((component) => !tools.has(component['bom-ref']));
bom.dependencies = bom.dependencies
  .filter(({ ref }) => !tools.has(ref))
  .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((other) => !tools.has(other)) }));

// npm takes the name of the folder, and every package for a library.
const { name } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
Object.assign(bom.metadata.component, { type: 'application', name });

const { models } = load(readFileSync(path.join(root, 'models/models.yaml'), 'utf8'));
for (const { name: model, sha256, licence, source } of models)
  bom.components.push({
    'bom-ref': `model/${model}`,
    type: 'machine-learning-model',
    name: model,
    description: source,
    scope: 'required',
    hashes: [{ alg: 'SHA-256', content: sha256 }],
    licenses: [{ license: { name: licence } }],
  });

mkdirSync(path.dirname(out), { recursive: true });
writeFileSync(out, `${JSON.stringify(bom, null, 2)}\n`);
console.log(`${out}: ${bom.components.length} components`);
