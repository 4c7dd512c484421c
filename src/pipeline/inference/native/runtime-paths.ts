/** Where the ONNX Runtime library is, with the GPU provider libraries beside it: it finds them in its own folder only. */

import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { bundledFolder } from './ort-api.ts';

/** GPU provider libraries come for this release alone. */
export const GPU_RELEASE = '1.29.0';
/** The list of files that `npm run gpu:install` writes last: without it the folder is half made. */
export const GPU_MANIFEST = 'manifest.json';

/** Of `npm run gpu:install`. */
export const gpuFolder = (cacheDir: string): string =>
  path.join(cacheDir, 'gpu', `onnxruntime-${GPU_RELEASE}-${process.platform}-${process.arch}`);

/** Whether the folder holds every file of its list, each as large as it should be. */
export function hasGpuLibraries(cacheDir: string): boolean {
  const folder = gpuFolder(cacheDir);
  const list = path.join(folder, GPU_MANIFEST);
  if (!existsSync(list)) return false;
  try {
    const { files } = JSON.parse(readFileSync(list, 'utf8')) as { files: Record<string, number> };
    return Object.entries(files).every(([name, bytes]) => statSync(path.join(folder, name)).size === bytes);
  } catch {
    return false;
  }
}

/** The folder of the library to use: the one with the GPU providers where they are installed. */
export const runtimeFolder = (cacheDir: string): string =>
  hasGpuLibraries(cacheDir) ? gpuFolder(cacheDir) : bundledFolder();
