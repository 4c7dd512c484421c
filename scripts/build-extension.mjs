/** Builds dist/extension: load it unpacked at chrome://extensions. */
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import sharp from 'sharp';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const at = (...parts) => path.join(root, ...parts);
const out = at('dist/extension');
const common = { bundle: true, logLevel: 'warning', absWorkingDir: root, target: 'chrome120', outdir: out };
const from = (...names) => names.map((name) => at('extension', `${name}.ts`));

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
const { version } = JSON.parse(await readFile(at('package.json'), 'utf8'));
const manifest = JSON.parse(await readFile(at('extension/manifest.json'), 'utf8'));
await Promise.all([
  // What is put into pages is no module.
  build({ ...common, format: 'iife', entryPoints: from('page', 'bridge') }),
  build({ ...common, format: 'esm', entryPoints: from('background', 'popup') }),
  writeFile(path.join(out, 'manifest.json'), JSON.stringify({ ...manifest, version }, null, 2)),
  ...['popup.html', 'popup.css'].map((name) => copyFile(at('extension', name), path.join(out, name))),
  ...[16, 48, 128].map((size) =>
    sharp(at('src/client/icon.svg'), { density: 72 * (size / 32) })
      .resize(size, size)
      .png()
      .toFile(path.join(out, `icon-${size}.png`)),
  ),
]);
