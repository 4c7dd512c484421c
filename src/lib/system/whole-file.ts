/** Files that are written as a whole or not at all, and the error where they cannot be written. */

import { rename, rm, writeFile } from 'node:fs/promises';
import { FaceOffError } from '../../shared/errors.ts';

/**
 * Writes a file under another name, `.part` at its end, and renames it once it is on disk: a reader, and a start after a
 * crash, find the old file or the new one. What was begun is removed where it fails.
 * @param mode permissions of the file; 0o666 less the umask where it is left out.
 * @throws Error of the file system; the file is then as it was.
 */
export async function writeWhole(file: string, data: string | Uint8Array, mode = 0o666): Promise<void> {
  const part = `${file}.part`;
  try {
    // A file that an earlier process left there would keep its own permissions.
    await rm(part, { force: true });
    await writeFile(part, data, { mode, flush: true });
    await rename(part, file);
  } catch (error) {
    await rm(part, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** The error `not_saved` (507). @param what could not be written, as the subject of a sentence: "The presets". */
export function notSaved(what: string, cause: unknown): FaceOffError {
  const why = (cause as NodeJS.ErrnoException).code ?? String(cause);
  return new FaceOffError(
    'not_saved',
    `${what} could not be written to storage.dir (${why}); all is as before. Make room there, or give access to it.`,
    { cause },
  );
}
