/** dist/kernels.wasm, compiled once a thread. */

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { root } from '../../lib/package-root.ts';

/** Bytes of a page of WebAssembly memory. */
const PAGE = 65536;
/** Bytes at the beginning of a memory for the kernels' own constants and tables, which end at `ownBytes`; a test holds that. */
export const OWN_BYTES = 2 * PAGE;

let compiled: Promise<WebAssembly.Module> | null = null;

/** The compiled kernels. Rejects where the file is missing, and reads it again at the next call. */
export function compiledKernels(): Promise<WebAssembly.Module> {
  compiled ??= compile().catch((error: unknown) => {
    compiled = null;
    throw error;
  });
  return compiled;
}

/** A memory for an instance of the kernels, which never grows. @param bytes what the host puts there, beside the kernels' own. */
export function kernelMemory(bytes: number): WebAssembly.Memory {
  const pages = Math.ceil((OWN_BYTES + bytes) / PAGE);
  return new WebAssembly.Memory({ initial: pages, maximum: pages });
}

async function compile(): Promise<WebAssembly.Module> {
  return WebAssembly.compile(await readFile(path.join(root, 'dist/kernels.wasm')));
}
