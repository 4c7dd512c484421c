/** dist/kernels.wasm, compiled once a thread. */

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { root } from '../../lib/package-root.ts';

let compiled: Promise<WebAssembly.Module> | null = null;

/** The compiled kernels. Rejects where the file is missing, and reads it again at the next call. */
export function compiledKernels(): Promise<WebAssembly.Module> {
  compiled ??= compile().catch((error: unknown) => {
    compiled = null;
    throw error;
  });
  return compiled;
}

async function compile(): Promise<WebAssembly.Module> {
  return WebAssembly.compile(await readFile(path.join(root, 'dist/kernels.wasm')));
}
