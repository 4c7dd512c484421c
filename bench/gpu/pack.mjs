/**
 * Packs the GPU bench for a machine without Node, npm or a network: Node itself, the built program, what it needs of
 * node_modules, the GPU provider libraries and the bench's networks, in numbered pieces.
 *
 *   node scripts/build.mjs && npm run gpu:install && node bench/gpu/pack.mjs FOLDER [--piece MIB] [--tensorrt FOLDER]
 *
 * Linux on x64. Node is the one that runs this script. `--tensorrt` adds a folder with TensorRT's libraries.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { constants, createBrotliCompress, gzipSync } from 'node:zlib';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '../..');
const here = path.dirname(fileURLToPath(import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    piece: { type: 'string', default: '60' },
    tensorrt: { type: 'string' },
    quality: { type: 'string', default: '5' },
  },
});
const [out] = positionals;
const pieceBytes = Number(values.piece) * 2 ** 20;
if (out === undefined || !(pieceBytes >= 2 ** 20))
  throw new Error('usage: node bench/gpu/pack.mjs FOLDER [--piece MIB] [--tensorrt FOLDER]');
if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('packs on Linux on x64 alone');

/** What is packed beside the production packages. */
const FOLDERS = ['dist', 'models', 'scripts', 'bench/gpu'];
const FILES = ['package.json', 'config.yaml', 'LICENSE', 'NOTICE'];
/** What no program reads. */
const NEEDLESS =
  /\.(map|md|d\.ts|d\.mts|d\.cts|ts|flow)$|\/(docs?|tests?|examples?)\/|onnxruntime-node\/bin\/napi-v6\/(darwin|win32|linux\/arm64)/;

const stage = path.join(out, 'stage');
const app = path.join(stage, 'app');
rmSync(out, { recursive: true, force: true });
mkdirSync(app, { recursive: true });

const hash = (bytes) => createHash('sha256').update(bytes).digest('hex');
const keep = (file) => !NEEDLESS.test(file);
for (const folder of FOLDERS)
  cpSync(path.join(root, folder), path.join(app, folder), {
    recursive: true,
    filter: (file) => !/\.map$|\/(optional|fuzz|client)(\/|$)/.test(file.slice(root.length)),
  });
for (const file of FILES) cpSync(path.join(root, file), path.join(app, file));
for (const folder of packages()) copyPackage(folder);
addGpuLibraries();
if (values.tensorrt !== undefined) cpSync(values.tensorrt, path.join(app, 'tensorrt'), { recursive: true });
execFileSync(
  process.execPath,
  [path.join(root, 'dist/bench/gpu.js'), '--write', '--material', path.join(app, 'material')],
  {
    stdio: 'inherit',
  },
);

linkSame(app);
const pieces = [];
function addPiece(name, bytes) {
  writeFileSync(path.join(out, name), bytes);
  pieces.push({ name, bytes: bytes.length, sha256: hash(bytes) });
}
// Node unpacks the rest, so that it takes gzip alone to begin.
for (const [n, part] of cut(gzipSync(readFileSync(process.execPath), { level: 6 })).entries())
  addPiece(`node.gz.${n}`, part);
for (const [n, part] of cut(await tarred()).entries()) addPiece(`app.tar.br.${String(n).padStart(2, '0')}`, part);
const id = hash(pieces.map(({ sha256 }) => sha256).join(' ')).slice(0, 16);
writeFileSync(path.join(out, 'manifest.json'), `${JSON.stringify({ id, pieces }, null, 1)}\n`);
writeFileSync(
  path.join(out, 'manifest.txt'),
  `${id}\n${pieces.map(({ name, sha256 }) => `${sha256}  ${name}`).join('\n')}\n`,
);
for (const name of ['run.sh', 'unpack.mjs', 'libraries.py']) cpSync(path.join(here, name), path.join(out, name));
rmSync(stage, { recursive: true });
for (const { name, bytes } of pieces) console.log(`${name}  ${(bytes / 2 ** 20).toFixed(1)} MiB`);

function cut(bytes) {
  const parts = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) parts.push(bytes.subarray(at, at + pieceBytes));
  return parts;
}

/** Folders of the production packages that are installed here. */
function packages() {
  const said = execFileSync('npm', ['ls', '--omit=dev', '--all', '--parseable'], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return said.split('\n').filter((line) => line.includes('/node_modules/') && existsSync(line));
}

function copyPackage(folder) {
  const to = path.join(app, path.relative(root, folder));
  // Packages within a package are listed by themselves.
  const filter = (file) => keep(file.slice(root.length)) && !file.slice(folder.length).includes('/node_modules');
  cpSync(folder, to, { recursive: true, filter, dereference: true });
}

function addGpuLibraries() {
  const from = path.join(root, 'cache/gpu');
  if (!existsSync(from)) throw new Error('the GPU provider libraries are not in cache/: npm run gpu:install');
  cpSync(from, path.join(app, 'cache/gpu'), { recursive: true });
}

/** Makes links of files with the same bytes, as ONNX Runtime's library and the models are in several places. */
function linkSame(folder) {
  const seen = new Map();
  for (const name of readdirSync(folder, { recursive: true })) {
    const file = path.join(folder, name);
    const { size } = statSync(file);
    if (!statSync(file).isFile() || size < 65_536) continue;
    const key = `${size} ${hash(readFileSync(file))}`;
    const first = seen.get(key);
    if (first === undefined) seen.set(key, file);
    else {
      rmSync(file);
      linkSync(first, file);
    }
  }
}

/** The stage as one archive. */
async function tarred() {
  const tar = spawn('tar', ['-C', stage, '--owner=0', '--group=0', '--numeric-owner', '-cf', '-', 'app'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const brotli = createBrotliCompress({
    params: { [constants.BROTLI_PARAM_QUALITY]: Number(values.quality), [constants.BROTLI_PARAM_LGWIN]: 24 },
  });
  const chunks = [];
  for await (const chunk of tar.stdout.pipe(brotli)) chunks.push(chunk);
  return Buffer.concat(chunks);
}
