/** A process that takes what is left of the card's memory, tells how much, and holds it until it is killed. */

import { addressOf, openLibrary } from '../../src/pipeline/inference/native/ffi.ts';

const MIB = 2 ** 20;
/** Pieces that are asked for, from large to small; what is left after that is under the last. */
const PIECES_MIB = [4096, 512, 64, 16];

/** Never resolves; ends with its parent. */
export async function holdMemory(): Promise<void> {
  const malloc = openLibrary('libcudart.so.13').func('cudaMalloc', 'int', ['void *', 'size_t']);
  const at = new BigUint64Array(1);
  let took = 0;
  for (const piece of PIECES_MIB) while (malloc(addressOf(at), piece * MIB) === 0) took += piece;
  process.send?.(took);
  process.once('disconnect', () => process.exit(0));
  await new Promise(() => undefined);
}
