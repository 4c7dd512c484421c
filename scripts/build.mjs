/**
 * Builds dist/: the server, the lane worker and the device process (bundled, without npm packages), the pages, and the
 * pixel kernels (AssemblyScript to WebAssembly SIMD). Takes a fraction of a second, so every start of a checkout builds.
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const at = (...parts) => path.join(root, ...parts);
/** Each page is a folder of src/client with a script and an HTML file of its name. */
const PAGES = ['studio', 'call', 'player', 'login', 'docs', 'detector', 'remote'];
const STYLES = [
  'styles/styles.css',
  'call/call.css',
  'player/player.css',
  'docs/docs.css',
  'detector/detector.css',
  'remote/remote.css',
];
/** A container image is built without the benches, which need test/ too. */
const hasBenches = existsSync(at('bench'));
const BROWSERS = ['chrome110', 'firefox115', 'safari16'];
const common = { bundle: true, format: 'esm', sourcemap: true, logLevel: 'warning', absWorkingDir: root, write: false };
/** Chunks of an earlier build stay so long: a server that runs may still load them. */
const CHUNK_LIFE_MS = 86_400_000;

/** Replaces a file as a whole, and only if its content differs: servers start and run from dist/ while another builds. */
async function put(file, content) {
  const bytes = Buffer.from(content);
  const before = await readFile(file).catch(() => null);
  if (before?.equals(bytes)) return;
  await mkdir(path.dirname(file), { recursive: true });
  const part = `${file}.${process.pid}.part`;
  await writeFile(part, bytes);
  await rename(part, file);
}

/** Bundles; returns the paths of the files. */
async function build(options) {
  const { outputFiles } = await esbuild.build({ ...common, ...options });
  await Promise.all(outputFiles.map(({ path: file, contents }) => put(file, contents)));
  return outputFiles.map(({ path: file }) => file);
}

/** Deletes chunks that the build did not make and that are old. */
async function removeOldChunks(made) {
  const folder = at('dist/chunks');
  for (const name of await readdir(folder).catch(() => [])) {
    const file = path.join(folder, name);
    if (!made.includes(file) && Date.now() - (await stat(file)).mtimeMs > CHUNK_LIFE_MS)
      await rm(file, { force: true });
  }
}

/** Modification time of the newest file in a folder, in milliseconds. */
async function newest(folder) {
  const times = (await readdir(folder)).map(async (name) => (await stat(path.join(folder, name))).mtimeMs);
  return Math.max(...(await Promise.all(times)));
}

/** The AssemblyScript compiler takes seconds, so it runs only when a source is newer than the module. */
async function buildKernels() {
  const folder = at('src/pipeline/kernels/assembly');
  const out = at('dist/kernels.wasm');
  if (existsSync(out) && (await stat(out)).mtimeMs > (await newest(folder))) return;
  const { default: asc } = await import('assemblyscript/asc');
  const files = [path.join(folder, 'index.ts'), '--outFile', out];
  const speed = ['-O3', '--noAssert', '--enable', 'simd'];
  const memory = ['--runtime', 'stub', '--importMemory', '--use', 'abort='];
  const { error, stderr } = await asc.main([...files, ...speed, ...memory]);
  if (error) throw new Error(`the pixel kernels do not compile:\n${stderr.toString()}`);
}

/** Copies a page with the parts that it includes, at the indentation of the include. */
async function buildHtml(file) {
  const lines = (await readFile(at('src/client', file), 'utf8')).split('\n');
  const built = await Promise.all(
    lines.map(async (line) => {
      const [, indent, part] = /^( *)<!-- include (\S+) -->$/.exec(line) ?? [];
      if (part === undefined) return line;
      const text = (await readFile(at('src/client', part), 'utf8')).trimEnd();
      return text.replace(/^(?=.)/gm, indent);
    }),
  );
  await put(at('dist/client', path.basename(file)), built.join('\n'));
}

/** A script that a page imports only when it is needed is built by itself, and found beside the page's own. */
const ON_DEMAND = ['cluster/livekit-pages'];
const onDemand = {
  name: 'on-demand',
  setup({ onResolve }) {
    onResolve({ filter: /\.ts$/ }, ({ path: file, kind }) =>
      kind === 'dynamic-import' ? { path: `./${path.basename(file, '.ts')}.js`, external: true } : undefined,
    );
  },
};

/** The library of texts is in the script of every page: it is made small there. The pages' own code stays readable. */
const smallLibrary = {
  name: 'small-library',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]node_modules[\\/]i18next[\\/].*\.js$/ }, async ({ path: file }) => {
      const { code } = await esbuild.transform(await readFile(file, 'utf8'), { minify: true, target: BROWSERS });
      return { contents: code };
    });
  },
};

/** Copies the texts of the languages, but English, whose sentences are in the code and the HTML. */
async function buildLanguages() {
  const folder = at('src/client/language/texts');
  const names = (await readdir(folder)).filter((name) => name !== 'en.json');
  // Without spaces: pages fetch them.
  const texts = names.map(async (name) => [name, JSON.parse(await readFile(path.join(folder, name), 'utf8'))]);
  for (const [name, text] of await Promise.all(texts))
    await put(at('dist/client/languages', name), JSON.stringify(text));
}

async function buildPages() {
  await buildLanguages();
  await put(at('dist/client/icon.svg'), await readFile(at('src/client/icon.svg')));
  // An audio worklet loads it by its address: the content policy refuses blobs, from which the package would load it.
  const stretch = at('node_modules/signalsmith-stretch/SignalsmithStretch.mjs');
  await put(at('dist/client/voice-processor.js'), await readFile(stretch));
  await Promise.all(PAGES.map((page) => buildHtml(`${page}/${page === 'studio' ? 'index' : page}.html`)));
  await build({
    entryPoints: [
      ...PAGES.map((page) => at('src/client', page, `${page}.ts`)),
      ...STYLES.map((file) => at('src/client', file)),
      at('src/client/detector/detector-worker.ts'),
    ],
    entryNames: '[name]',
    outdir: at('dist/client'),
    target: BROWSERS,
    plugins: [onDemand, smallLibrary],
  });
  await build({
    entryPoints: ON_DEMAND.map((page) => at('src/client', `${page}.ts`)),
    entryNames: '[name]',
    outdir: at('dist/client'),
    target: BROWSERS,
    minify: true,
  });
}

/** The scripts that the benches of live streams run in the browser. */
async function buildBenchPages() {
  if (!hasBenches) return;
  const entryPoints = [at('bench/speed/live/bench-page.ts'), at('bench/speed/live/steady-page.ts')];
  await build({ format: 'iife', sourcemap: false, entryPoints, outdir: at('dist/bench') });
}

async function buildServer() {
  const entryPoints = {
    main: 'src/main.ts',
    'pipeline/worker': 'src/pipeline/lane/worker.ts',
    'pipeline/content': 'src/pipeline/content/content-process.ts',
    'pipeline/device': 'src/pipeline/device/device-process.ts',
    'pipeline/builder': 'src/pipeline/inference/builder.ts',
    'faces/picture': 'src/faces/pictures/picture-process.ts',
    'media/signing-worker': 'src/media/provenance/signing-worker.ts',
  };
  const benches = {
    'bench/bench': 'bench/speed/bench.ts',
    'bench/bench-server': 'bench/speed/live/bench-server.ts',
    'bench/fake-cameras': 'bench/speed/live/fake-cameras.ts',
    'bench/soak-guests': 'bench/soak/soak-guests.ts',
    'bench/agent-guests': 'bench/soak/agent-guests.ts',
    'bench/gpu': 'bench/gpu/gpu-bench.ts',
    'fuzz/fuzz': 'fuzz/fuzz.ts',
    'fuzz/fuzz-child': 'fuzz/run/fuzz-child.ts',
  };
  const files = await build({
    entryPoints: hasBenches ? { ...entryPoints, ...benches } : entryPoints,
    outdir: at('dist'),
    splitting: true,
    chunkNames: 'chunks/[name]-[hash]',
    platform: 'node',
    packages: 'external',
    target: 'node20',
  });
  await removeOldChunks(files);
}

await mkdir(at('dist'), { recursive: true });
await Promise.all([buildKernels(), buildPages(), buildBenchPages(), buildServer()]);
