/** Encrypts what was written of faces before a key was set. */

import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../config.ts';
import { withFolderLock } from '../lib/system/folder-lock.ts';
import { notSaved, writeWhole } from '../lib/system/whole-file.ts';
import { FaceOffError } from '../shared/errors.ts';
import { FileSeal, isSealed } from './sealed-files.ts';

/** Files of a face's folder. */
const OF_A_FACE = /\.(webp|json)$/;

/**
 * Encrypts the files of all faces, and the list of blocked faces, each whole; those that are encrypted are checked for the key.
 * @returns number of files that were not.
 * @throws FaceOffError `bad_config` without a key, `faces_key_wrong`, `not_saved` (507).
 */
export async function encryptFaces(config: Pick<Config, 'storage' | 'faces'>): Promise<number> {
  const seal = await FileSeal.of(config);
  if (!seal.isOn)
    throw new FaceOffError(
      'bad_config',
      'faces.key: is not set. Set FACEOFF_FACES_KEY, or faces.keyFile, to a key: `openssl rand -base64 32` makes one.',
    );
  const { dir } = config.storage;
  const faces = path.join(dir, 'faces');
  let count = await encryptFiles(dir, ['blocked-faces.json'], seal);
  for (const id of await namesIn(faces)) {
    const folder = path.join(faces, id);
    if (id.endsWith('.part')) continue;
    count += await encryptFiles(
      folder,
      (await namesIn(folder)).filter((name) => OF_A_FACE.test(name)),
      seal,
    );
  }
  return count;
}

/** @returns number of files that were not encrypted. */
async function encryptFiles(folder: string, names: readonly string[], seal: FileSeal): Promise<number> {
  if ((await stat(folder).catch(() => null)) === null) return 0;
  return withFolderLock(folder, async () => {
    let count = 0;
    for (const name of names) {
      const file = path.join(folder, name);
      const data = await readFile(file).catch(() => null);
      if (data === null) continue;
      if (isSealed(data)) {
        seal.open(data, file);
        continue;
      }
      const { mode } = await stat(file);
      await writeWhole(file, seal.seal(data, file), mode);
      count++;
    }
    return count;
  }).catch((cause: unknown) => {
    throw cause instanceof FaceOffError ? cause : notSaved('The encrypted faces', cause);
  });
}

const namesIn = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);
