/** Has a program of Node collect its garbage before its heap is read, so that a reading is what is in use. */

import { setTimeout as delay } from 'node:timers/promises';

/** Runs in the program's main thread. Node takes `--expose-gc` from no variable before version 22. */
const LISTENER = `
  import { isMainThread } from 'node:worker_threads';
  import v8 from 'node:v8';
  import vm from 'node:vm';
  v8.setFlagsFromString('--expose_gc');
  const collect = vm.runInNewContext('gc');
  if (isMainThread) process.on('SIGUSR2', () => collect());`;
const COLLECTION_MS = 500;

/** Begin of a command line whose program collects on SIGUSR2. POSIX only. */
export const COLLECTING: readonly string[] = [
  'env',
  `NODE_OPTIONS=--import=data:text/javascript,${encodeURIComponent(LISTENER)}`,
];

/** Resolves once the main thread of a program that was started by {@link COLLECTING} should have collected. */
export async function collectGarbage(pid: number): Promise<void> {
  process.kill(pid, 'SIGUSR2');
  await delay(COLLECTION_MS);
}
