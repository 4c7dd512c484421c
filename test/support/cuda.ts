/**
 * Stand-ins for NVIDIA's libraries, built by the system's C compiler: with them the real CUDA and TensorRT providers of
 * ONNX Runtime load, allocate and fail on a machine without a card. Nothing is computed.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { build } from 'esbuild';
import { root } from '../../src/lib/package-root.ts';
import { hasGpuLibraries } from '../../src/pipeline/inference/native/runtime-paths.ts';

const source = path.join(root, 'test/media/gpu/stand-in');
export const cacheDir = path.join(root, 'cache');

/** Libraries of which no function is looked up by name. */
const EMPTY = ['libcuda.so.1', 'libcurand.so.10', 'libcudnn.so.9', 'libnvidia-ml.so.1'];

/** Why tests with the real GPU providers cannot run here; null when they can. */
export function whyNoGpuTests(): string | null {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'the GPU providers are for Linux on x64';
  if (!hasGpuLibraries(cacheDir)) return 'the GPU providers are not in cache/: npm run gpu:install fetches them';
  if (spawnSync('cc', ['--version']).status !== 0) return 'there is no C compiler (cc)';
  return null;
}

export interface StandInCuda {
  /** Belongs into LD_LIBRARY_PATH of a process before it starts. */
  folder: string;
  remove(): void;
}

/** @param without libraries to leave out, by the beginning of their names. */
export function buildCuda(without: readonly string[] = []): StandInCuda {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-cuda-'));
  for (const [library, names] of functions())
    if (!without.some((start) => library.startsWith(start))) compile(folder, library, names);
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

function functions(): Map<string, string[]> {
  const lines = readFileSync(path.join(source, 'symbols.txt'), 'utf8').split('\n');
  const listed = lines.filter((line) => line !== '' && !line.startsWith('#')).map((line) => line.split(': '));
  return new Map([
    ...EMPTY.map((name) => [name, []] as const),
    ...listed.map(([name, list]) => [name!, list!.split(' ')] as const),
  ] as [string, string[]][]);
}

/** What the C file beside this one does not define answers 0. */
function compile(folder: string, library: string, names: readonly string[]): void {
  const own = path.join(source, library.replace(/\.so\..*$/, '.c'));
  const written = existsSync(own) ? readFileSync(own, 'utf8') : '';
  const rest = names.filter((name) => !new RegExp(`\\b${name}\\(`).test(written));
  const file = path.join(folder, library);
  writeFileSync(`${file}.c`, `${written}\n${rest.map((name) => `long ${name}() { return 0; }`).join('\n')}\n`);
  const options = ['-w', '-shared', '-fPIC', '-O1', '-o', file, `${file}.c`, `-Wl,-soname,${library}`, '-lpthread'];
  if (/^lib(cudart|cublas|cublasLt|cudnn)\./.test(library)) {
    writeFileSync(`${file}.map`, `${library} { global: *; };\n`);
    options.push(`-Wl,--version-script=${file}.map`);
  }
  const { status, stderr } = spawnSync('cc', options, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${library} does not compile:\n${stderr}`);
}

export interface Outcome {
  status: number | null;
  signal: string | null;
  /** What ONNX Runtime writes. */
  stderr: string;
  /** What the script printed, as JSON; undefined when it printed none. */
  answer: unknown;
}

const built = path.join(root, 'dist/test/gpu.mjs');

/** What `runWith` runs. */
export async function buildChild(): Promise<void> {
  await build({
    entryPoints: [path.join(root, 'test/media/gpu/child.ts')],
    outfile: built,
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    target: 'node20',
    logLevel: 'warning',
  });
}

/** Runs a script of test/media/gpu/child.ts in a process of its own: the loader looks for libraries where it was told at its start. */
export function runWith(cuda: string | null, script: string, env: Record<string, string> = {}): Outcome {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', built, script], {
    encoding: 'utf8',
    timeout: 120_000,
    maxBuffer: 64 * 2 ** 20,
    env: { ...process.env, ...(cuda === null ? {} : { LD_LIBRARY_PATH: cuda }), ...env },
  });
  if (process.env.SHOW) console.error(stderr);
  const last = stdout.trim().split('\n').at(-1) ?? '';
  return { status, signal, stderr, answer: last.startsWith('{') ? JSON.parse(last) : undefined };
}
