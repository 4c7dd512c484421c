import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';

/**
 * Makes a folder and those above it, one by one: Node's `recursive` never ends below /proc, and says ENOENT of a disk
 * that is read-only.
 * @throws Error of the file system, with the code that tells why: EROFS, EACCES, ENOSPC, or EEXIST where a file is in the way.
 */
export async function makeFolder(dir: string): Promise<void> {
  const found = await stat(dir).catch(() => null);
  if (found?.isDirectory()) return;
  if (path.dirname(dir) !== dir) await makeFolder(path.dirname(dir));
  await mkdir(dir).catch(async (error: NodeJS.ErrnoException) => {
    // Another process made it in the meantime.
    if (error.code !== 'EEXIST' || !(await stat(dir)).isDirectory()) throw error;
  });
}
