/** Writes what the GPU bench needs and cannot make without onnx-proto: its networks, and models folders with stand-ins. */

import { spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import path from 'node:path';
import { root } from '../../src/lib/package-root.ts';
import { writeNetworks } from './network-files.ts';

/** Generators of the frames and the streams, and what makes their source. */
const GENERATORS = ['inswapper_128', 'hyperswap_1a_256', 'simswap_unofficial_512', 'arcface_w600k_r50'];

/** @param folder that is filled. @param isTiny models that cost nothing, to try the bench. */
export function writeMaterial(folder: string, isTiny: boolean): void {
  writeNetworks(folder, isTiny);
  writeModels(path.join(folder, 'stand-ins'), []);
  writeModels(path.join(folder, 'real-size'), isTiny ? GENERATORS : [...GENERATORS, '--real-size']);
}

/** The models that are shipped, with stand-ins for added ones. @param names of those; all where it is empty. */
function writeModels(folder: string, names: readonly string[]): void {
  const isShipped = (file: string): boolean => path.basename(file) !== 'optional';
  cpSync(path.join(root, 'models'), folder, { recursive: true, filter: isShipped });
  const script = path.join(root, 'scripts/stand-ins.mjs');
  const { status, stderr } = spawnSync(process.execPath, [script, folder, ...names], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}
