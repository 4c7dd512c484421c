/**
 * `faceoff gpu install` (`npm run gpu:install`): downloads ONNX Runtime's GPU provider libraries, only on this command,
 * checks their digest, and unpacks them into models.cacheDir. CUDA, cuDNN and TensorRT are NVIDIA's: the command only
 * names their packages.
 */

import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, copyFile, mkdtemp, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { SingleBar } from 'cli-progress';
import { Command } from 'commander';
import { extract } from 'tar-stream';
import { makeFolder } from '../../lib/system/make-folder.ts';
import { bundledFolder, libraryName } from '../../pipeline/inference/native/ort-api.ts';
import { probeProviders } from '../../pipeline/inference/native/provider-probe.ts';
import {
  GPU_MANIFEST,
  gpuFolder,
  hasGpuLibraries,
  runtimeFolder,
} from '../../pipeline/inference/native/runtime-paths.ts';
import { download } from '../../pipeline/models/download.ts';
import { FaceOffError } from '../../shared/errors.ts';
import { type ConfigOptions, configOf, withConfig } from '../options.ts';

/**
 * Microsoft publishes these libraries on NuGet only; this npm package carries the same files for Unity, under MIT. The
 * digest is that of the file whose integrity in npm's registry is
 * sha512-FopIhNE/Ng+v2X65wVc9clPCBCvhvA53Hxo2U0Kf5fGdVsC7iCA+mZ0KLWggcQAj7TIZ6pNidR4AC10g74Xo6w==.
 */
const PACKAGE = {
  name: 'com.github.asus4.onnxruntime.linux-x64-gpu',
  version: '0.4.9',
  sha256: '2b459e0c17f340c92970c10ed86de4f37a3009f93c14053e6ad4334cbb6be412',
  bytes: 179_145_956,
  registry: process.env.npm_config_registry ?? 'https://registry.npmjs.org/',
};
/** Free space needed: the archive, its files unpacked, and a copy of ONNX Runtime's own library. */
const NEEDED_BYTES = PACKAGE.bytes + 232e6 + 46e6;
const LIBRARIES = /^package\/Plugins\/Linux\/x64\/(libonnxruntime_providers_(?:shared|cuda|tensorrt)\.so)$/;

/** An npm package that carries the libraries: name, version, digest and size of its archive, and the registry. */
export type GpuPackage = typeof PACKAGE;

/** `faceoff gpu install`. */
export function gpuCommand(defaultConfig: string): Command {
  const install = new Command('install').description('fetch the GPU provider libraries of ONNX Runtime');
  return new Command('gpu').description('libraries for NVIDIA cards').addCommand(
    withConfig(install, defaultConfig).action(async (options: ConfigOptions) => {
      const { cacheDir } = configOf(options).models;
      await installGpu(cacheDir);
      report(cacheDir);
    }),
  );
}

/**
 * Installs the libraries below `cacheDir`. Idempotent: libraries that are there already are not downloaded again.
 * @throws FaceOffError `no_gpu_libraries` where none are published for this platform, `disk_full`, and those of `download`.
 */
export async function installGpu(cacheDir: string, from: GpuPackage = PACKAGE): Promise<void> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new FaceOffError(
      'no_gpu_libraries',
      `There are CUDA libraries for Linux on x64 alone, and this is ${process.platform} on ${process.arch}. Here the WebGPU provider, which comes along, uses the card.`,
    );
  }
  if (hasGpuLibraries(cacheDir)) return;
  const folder = path.dirname(gpuFolder(cacheDir));
  await makeFolder(folder);
  await requireRoom(folder);
  const archive = path.join(folder, `${from.name}-${from.version}.tgz`);
  await fetchArchive(archive, from);
  const half = await mkdtemp(path.join(folder, 'half-'));
  try {
    await unpack(archive, half);
    // ONNX Runtime looks for providers beside its own library, and node_modules is npm's.
    await copyFile(path.join(bundledFolder(), libraryName()), path.join(half, libraryName()));
    await writeManifest(half, from);
    await rm(gpuFolder(cacheDir), { recursive: true, force: true });
    // One that is made by root serves other users too; a temporary folder is its maker's alone.
    await chmod(half, 0o755);
    await rename(half, gpuFolder(cacheDir));
  } finally {
    await rm(half, { recursive: true, force: true });
  }
  await rm(archive, { force: true });
}

async function requireRoom(folder: string): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= NEEDED_BYTES) return;
  const mega = (bytes: number): number => Math.ceil(bytes / 1e6);
  throw new FaceOffError(
    'disk_full',
    `${folder} has ${mega(bavail * bsize)} MB left, and ${mega(NEEDED_BYTES)} MB are needed. Make room, or set models.cacheDir to another disk.`,
  );
}

async function fetchArchive(archive: string, from: GpuPackage): Promise<void> {
  const { name, version, sha256, bytes, registry } = from;
  const url = new URL(`${name}/-/${name}-${version}.tgz`, registry.endsWith('/') ? registry : `${registry}/`).href;
  const mega = (count: number): number => Math.round(count / 2 ** 20);
  const bar = new SingleBar({ format: ' GPU libraries {bar} {value}/{total} MB, {eta} s left', hideCursor: true });
  bar.start(mega(bytes), 0);
  try {
    await download({ url, file: archive, sha256, onProgress: (has) => bar.update(mega(has)) });
  } finally {
    bar.stop();
  }
}

async function unpack(archive: string, folder: string): Promise<void> {
  const tar = extract();
  const unpacking = pipeline(createReadStream(archive), createGunzip(), tar);
  for await (const entry of tar) {
    const name = LIBRARIES.exec(entry.header.name)?.[1];
    if (name === undefined) entry.resume();
    else await pipeline(entry, createWriteStream(path.join(folder, name)));
  }
  await unpacking;
}

async function writeManifest(folder: string, { name: source, version }: GpuPackage): Promise<void> {
  const names = [libraryName(), ...['shared', 'cuda', 'tensorrt'].map((one) => `libonnxruntime_providers_${one}.so`)];
  const sizes = names.map(async (name) => [name, (await stat(path.join(folder, name))).size] as const);
  const files = Object.fromEntries(await Promise.all(sizes));
  await writeFile(path.join(folder, GPU_MANIFEST), `${JSON.stringify({ package: source, version, files }, null, 2)}\n`);
}

function report(cacheDir: string): void {
  const { lacks } = probeProviders(cacheDir);
  console.log(`The GPU provider libraries are in ${runtimeFolder(cacheDir)}.`);
  for (const kind of ['cuda', 'tensorrt'] as const) {
    const lack = lacks[kind];
    console.log(lack === null ? `${kind}: every library it needs is here.` : `${kind}: still missing: ${lack.why}`);
  }
  console.log(NVIDIA_HINT);
}

/** Tells people how to install the libraries that only NVIDIA distributes. */
const NVIDIA_HINT = [
  'They want the NVIDIA driver 580 or later, CUDA 13, cuDNN 9 and, for TensorRT, TensorRT 10. On Debian and Ubuntu, with',
  "NVIDIA's package source (https://docs.nvidia.com/cuda/cuda-installation-guide-linux):",
  '  apt install cuda-libraries-13-0 libcudnn9-cuda-13 libnvinfer10 libnvonnxparsers10',
  'Elsewhere: put them into the path of the system’s loader (LD_LIBRARY_PATH). `faceoff doctor` tells what is found.',
].join('\n');
