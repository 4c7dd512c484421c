/** Writes what the GPU bench needs and cannot make without onnx-proto: its networks, and models folders with stand-ins. */

import { spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import path from 'node:path';
import { root } from '../../src/lib/package-root.ts';
import { writeNetworks } from './network-files.ts';

/** Generators of the frames and the streams, and what makes their source. */
const REAL_SIZE = ['inswapper_128', 'hyperswap_1a_256', 'simswap_unofficial_512', 'arcface_w600k_r50', '--real-size'];

/** @param folder that is filled. */
export function writeMaterial(folder: string): void {
  writeNetworks(folder);
  writeModels(path.join(folder, 'stand-ins'), []);
  writeModels(path.join(folder, 'real-size'), REAL_SIZE);
}

/** The models that are shipped, with stand-ins for added ones. @param names of those; all where it is empty. */
function writeModels(folder: string, names: readonly string[]): void {
  const isShipped = (file: string): boolean => path.basename(file) !== 'optional';
  cpSync(path.join(root, 'models'), folder, { recursive: true, filter: isShipped });
  const script = path.join(root, 'scripts/stand-ins.mjs');
  const { status, stderr } = spawnSync(process.execPath, [script, folder, ...names], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}
