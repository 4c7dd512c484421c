/** The key of this installation's marks: with it, a mark says which session a picture is of. Kept in `storage.dir`. */

import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder } from '../lib/system/make-folder.ts';
import { writeWhole } from '../lib/system/whole-file.ts';
import { LAYOUT_WORDS } from './chips.ts';

const FILE = 'mark.key';
/** Bytes of a key; the file has them as hexadecimal digits. */
const BYTES = 32;
const IS_KEY = /^[0-9a-f]{64}$/;

/** The part of a log that is told of a key that cannot be kept. */
export interface MarkKeyLog {
  warn(facts: object, message: string): void;
}

/** The kept key as hexadecimal digits; null where there is none, or the file is not one. */
export async function readMarkKey(folder: string): Promise<string | null> {
  const text = await readFile(path.join(folder, FILE), 'utf8').catch(() => '');
  return IS_KEY.test(text.trim()) ? text.trim() : null;
}

/** The kept key, or a new one. One that cannot be kept serves until the process ends, and is logged. */
export async function keptMarkKey(folder: string, log: MarkKeyLog): Promise<string> {
  const kept = await readMarkKey(folder);
  if (kept !== null) return kept;
  const made = randomBytes(BYTES).toString('hex');
  try {
    await makeFolder(folder);
    await writeWhole(path.join(folder, FILE), `${made}\n`, 0o600);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    log.warn(
      { folder, code },
      'the key of the invisible mark cannot be kept in storage.dir: no later start can read it',
    );
  }
  return made;
}

/** The random words of a layout (SHAKE256 of the key). */
export function layoutWords(key: string): Uint32Array {
  const bytes = createHash('shake256', { outputLength: 4 * LAYOUT_WORDS })
    .update(`FaceOff mark ${key}`)
    .digest();
  return Uint32Array.from({ length: LAYOUT_WORDS }, (_, i) => bytes.readUInt32LE(4 * i));
}
