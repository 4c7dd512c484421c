/**
 * Makes models/content-check.onnx: `npm run models:convert-content [-- FOLDER]`. nsfwjs is no devDependency, because npm
 * would install TensorFlow.js beside it: this asks npm for the package alone. The same package gives the same bytes.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { contentCheck } from './convert/nsfwjs.mjs';

const PACKAGE = 'nsfwjs@4.4.0';
const INTEGRITY = 'sha512-krC1fgeTLXtZwgdpKJ0jm7hqv0gTSRQQRL+FhOaxaJ9Wj92t42BO3csO2odwgTAgZgf2RvkwPtp0R8Aa7dc+MA==';

function run(command, args, cwd) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${stderr}`);
  return stdout.trim();
}

const folder = process.argv[2] ?? path.join(path.dirname(fileURLToPath(import.meta.url)), '../models');
const aside = mkdtempSync(path.join(os.tmpdir(), 'faceoff-convert-'));
try {
  const archive = path.join(aside, run('npm', ['pack', '--silent', PACKAGE], aside));
  const integrity = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
  if (integrity !== INTEGRITY) throw new Error(`${PACKAGE} is another file than it was: ${integrity}`);
  run('tar', ['-xzf', archive, '-C', aside]);
  const bytes = contentCheck(path.join(aside, 'package'));
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, 'content-check.onnx');
  writeFileSync(`${file}.part`, bytes);
  renameSync(`${file}.part`, file);
  console.log(`${createHash('sha256').update(bytes).digest('hex')}  content-check.onnx  ${bytes.length}`);
} finally {
  rmSync(aside, { recursive: true, force: true });
}
