import { mkdtempSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { FaceOffError, messageOf } from '../../shared/errors.ts';

/** Most bytes of a socket's address: 108 on Linux and 104 on macOS, with a zero at the end. */
const MOST_BYTES = 103;
const NAME = 'device.sock';

/**
 * Makes a folder of this user alone for the socket of the device process: among the system's temporary files, or in the cache
 * where that cannot be written, as in a container whose root is read-only, or where its path is too long for a socket.
 * @throws FaceOffError `bad_config` where neither will do.
 */
export function makeSocketFolder(cacheDir: string, temporary: string = os.tmpdir()): string {
  const why: string[] = [];
  for (const parent of [temporary, cacheDir]) {
    const prefix = path.join(parent, 'faceoff-device-');
    const bytes = Buffer.byteLength(path.join(`${prefix}XXXXXX`, NAME));
    if (process.platform !== 'win32' && bytes > MOST_BYTES) {
      why.push(`the path of ${parent} is too long for a socket`);
      continue;
    }
    try {
      return mkdtempSync(prefix);
    } catch (error) {
      why.push(messageOf(error));
    }
  }
  throw new FaceOffError(
    'bad_config',
    `No folder can be made for a socket (${why.join('; ')}). Set the variable TMPDIR to a folder that can be written.`,
  );
}

/** The socket's address in that folder. */
export const socketIn = (folder: string): string => path.join(folder, NAME);
