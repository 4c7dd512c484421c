/** One writer of a folder at a time, over processes and machines that share it. */

import { open, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const FILE = '.lock';
const AGAIN_MS = 50;
/** A lock of that age was left by a process that is gone: what is done under one takes less. */
const STALE_MS = 30_000;
const PATIENCE_MS = 40_000;

/**
 * Runs a task while no other process runs one for the same folder: the one that makes `.lock` in it has it, also on a shared
 * folder (NFSv3 and later make a file exclusively).
 * @throws Error of the file system, also where the folder is gone; what the task throws.
 */
export async function withFolderLock<T>(folder: string, task: () => Promise<T>): Promise<T> {
  const file = path.join(folder, FILE);
  for (const untilMs = Date.now() + PATIENCE_MS; !(await isMade(file)); ) {
    if (Date.now() > untilMs) throw new Error(`${file} is held by another process`);
    const { mtimeMs } = await stat(file).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
    if (Date.now() - mtimeMs > STALE_MS) await rm(file, { force: true });
    else await delay(AGAIN_MS);
  }
  try {
    return await task();
  } finally {
    await rm(file, { force: true }).catch(() => undefined);
  }
}

/** Whether this process made the file; false where another one has. */
async function isMade(file: string): Promise<boolean> {
  try {
    await (await open(file, 'wx', 0o600)).close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
