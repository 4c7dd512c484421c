/**
 * Folder of the ONNX Runtime library. GPU provider libraries lie beside it, as it loads them from its own folder only.
 */

import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { isPackage } from '../../../lib/installation.ts';
import { root } from '../../../lib/package-root.ts';
import { bundledFolder } from './ort-api.ts';

/** Release of ONNX Runtime that the GPU provider libraries belong to. */
export const GPU_RELEASE = '1.29.0';
/** How people install them. */
export const GPU_COMMAND = isPackage ? 'npx faceoff gpu install' : 'npm run gpu:install';
/** The list of files, which `npm run gpu:install` writes last: without it the installation is incomplete. */
export const GPU_MANIFEST = 'manifest.json';

/** The folder that `npm run gpu:install` fills. */
export const gpuFolder = (cacheDir: string): string =>
  path.join(cacheDir, 'gpu', `onnxruntime-${GPU_RELEASE}-${process.platform}-${process.arch}`);

/**
 * The complete folder of GPU libraries: that of the cache, else one that came with the program, as in the container image,
 * whose cache is a volume. Null where neither has every file of its list, each with the listed size.
 */
function installedFolder(cacheDir: string, programDir: string): string | null {
  return [cacheDir, programDir].map(gpuFolder).find(isComplete) ?? null;
}

function isComplete(folder: string): boolean {
  const list = path.join(folder, GPU_MANIFEST);
  if (!existsSync(list)) return false;
  try {
    const { files } = JSON.parse(readFileSync(list, 'utf8')) as { files: Record<string, number> };
    return Object.entries(files).every(([name, bytes]) => statSync(path.join(folder, name)).size === bytes);
  } catch {
    return false;
  }
}

/** Whether GPU provider libraries are installed, in the cache or with the program. */
export const hasGpuLibraries = (cacheDir: string, programDir = root): boolean =>
  installedFolder(cacheDir, programDir) !== null;

/** Folder of the library to use: the one with the GPU providers where they are installed, else onnxruntime-node's. */
export const runtimeFolder = (cacheDir: string, programDir = root): string =>
  installedFolder(cacheDir, programDir) ?? bundledFolder();
