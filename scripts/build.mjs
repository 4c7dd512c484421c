/**
 * Builds dist/: the server and the worker (bundled apart from npm packages), the pages, and the pixel kernels
 * (AssemblyScript to WebAssembly SIMD). Takes a fraction of a second, so every start builds.
 */
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const at = (...parts) => path.join(root, ...parts);
const common = { bundle: true, format: 'esm', sourcemap: true, logLevel: 'warning', absWorkingDir: root };

async function newest(folder) {
  const times = (await readdir(folder)).map(async (name) => (await stat(path.join(folder, name))).mtimeMs);
  return Math.max(...(await Promise.all(times)));
}

/** The compiler takes seconds, so it runs only when a kernel is newer than what was built. */
async function buildKernels() {
  const folder = at('src/pipeline/kernels/assembly');
  const out = at('dist/kernels.wasm');
  if (existsSync(out) && (await stat(out)).mtimeMs > (await newest(folder))) return;
  const { default: asc } = await import('assemblyscript/asc');
  const { error, stderr } = await asc.main([
    ...[path.join(folder, 'index.ts'), '--outFile', out, '-O3', '--noAssert', '--enable', 'simd'],
    ...['--runtime', 'stub', '--importMemory', '--use', 'abort='],
  ]);
  if (error) throw new Error(`the pixel kernels do not compile:\n${stderr.toString()}`);
}

async function buildPages() {
  const from = at('src/client');
  const names = await readdir(from);
  await mkdir(at('dist/client'), { recursive: true });
  for (const name of names.filter((n) => /\.(html|css|svg|png|ico|webmanifest)$/.test(n))) {
    await copyFile(path.join(from, name), at('dist/client', name));
  }
  const pages = names
    .filter((n) => n.endsWith('.html'))
    .map((n) => n.replace('.html', '.ts').replace('index.ts', 'studio.ts'));
  const entryPoints = pages.filter((n) => names.includes(n)).map((n) => path.join(from, n));
  await build({ ...common, entryPoints, outdir: at('dist/client'), target: ['chrome110', 'firefox115', 'safari16'] });
}

/** What the benches of live streams run in the browser. */
async function buildBenchPages() {
  const entryPoints = [at('bench/page.ts'), at('bench/steady-page.ts')];
  await build({ ...common, format: 'iife', sourcemap: false, entryPoints, outdir: at('dist/bench') });
}

async function buildServer() {
  const entryPoints = {
    main: 'src/main.ts',
    'pipeline/worker': 'src/pipeline/worker.ts',
    'pipeline/device': 'src/pipeline/device/process.ts',
    'pipeline/builder': 'src/pipeline/builder.ts',
    'bench/bench': 'bench/bench.ts',
    'bench/server': 'bench/server.ts',
    'bench/cameras': 'bench/cameras.ts',
  };
  await build({
    ...{
      ...common,
      entryPoints,
      outdir: at('dist'),
      splitting: true,
      chunkNames: 'chunks/[name]-[hash]',
    },
    ...{ platform: 'node', packages: 'external', target: 'node20' },
  });
}

await mkdir(at('dist'), { recursive: true });
await rm(at('dist/chunks'), { recursive: true, force: true });
await Promise.all([buildKernels(), buildPages(), buildBenchPages(), buildServer()]);
