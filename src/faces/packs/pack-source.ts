/** What a pack of faces is read from: a zip file or a folder. Nothing is ever written by the names in it. */

import { readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { type Entry, fromBufferPromise, type ZipFile } from 'yauzl';
import { FaceOffError, messageOf } from '../../shared/errors.ts';

/** Files of a pack. Main thread; a zip is inflated on libuv's threads. */
export interface PackSource {
  /**
   * The content of a file.
   * @param most bytes that it may have. @throws FaceOffError `bad_pack` (422) where it is not there, larger, or damaged.
   */
  read(name: string, most: number): Promise<Buffer>;
  /** Idempotent. */
  close(): void;
}

/** Entries of a zip that are looked at. */
const MOST_ENTRIES = 10_000;

/** The refusal of a pack. @param what what is wrong with it, a sentence. */
export const badPack = (what: string, cause?: unknown): FaceOffError =>
  new FaceOffError('bad_pack', `This is no pack of faces that can be used: ${what}`, { cause });

/**
 * Opens a zip. Names that leave the archive, encrypted entries and sizes that are not what they say are refused.
 * @throws FaceOffError `bad_pack` (422).
 */
export async function openZip(data: Buffer): Promise<PackSource> {
  try {
    const zip = await fromBufferPromise(data, { lazyEntries: true, strictFileNames: true });
    if (zip.entryCount > MOST_ENTRIES) throw new Error(`it has more than ${MOST_ENTRIES} entries`);
    const entries = await entriesOf(zip);
    return {
      async read(name, most) {
        const entry = entries.get(name);
        if (entry === undefined) throw badPack(`it has no file ${name.slice(0, 200)}.`);
        if (entry.uncompressedSize > most) throw tooLarge(name, most);
        return contentOf(zip, entry, most).catch((cause: unknown) => {
          throw badPack(`${name} cannot be read: ${messageOf(cause)}.`, cause);
        });
      },
      close: () => zip.close(),
    };
  } catch (cause) {
    throw badPack(`it is no zip file: ${messageOf(cause)}.`, cause);
  }
}

/** Opens a folder. Files outside of it, by `..` or a link, are refused. @throws FaceOffError `bad_pack` (422). */
export async function openFolder(folder: string): Promise<PackSource> {
  const root = await realpath(folder).catch((cause: unknown) => {
    throw badPack(`${folder} cannot be read: ${messageOf(cause)}.`, cause);
  });
  return {
    async read(name, most) {
      try {
        const file = await realpath(path.join(root, name));
        if (!file.startsWith(root + path.sep)) throw new Error('it lies outside of the folder');
        const { size } = await stat(file);
        if (size <= most) return await readFile(file);
      } catch (cause) {
        throw badPack(`${name} cannot be read: ${messageOf(cause)}.`, cause);
      }
      throw tooLarge(name, most);
    },
    close: () => undefined,
  };
}

const tooLarge = (name: string, most: number): FaceOffError =>
  badPack(`${name.slice(0, 200)} has more than ${Math.floor(most / 2 ** 10)} kB, or the pack has too much in all.`);

function entriesOf(zip: ZipFile): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>();
  return new Promise((resolve, reject) => {
    zip.on('entry', (entry: Entry) => {
      entries.set(entry.fileName, entry);
      zip.readEntry();
    });
    zip.once('end', () => resolve(entries));
    zip.once('error', reject);
    zip.readEntry();
  });
}

/** Inflates an entry, and no more than it may have, whatever its header says. */
function contentOf(zip: ZipFile, entry: Entry, most: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    zip.openReadStream(entry, (error, stream) => {
      if (error !== null) {
        reject(error);
        return;
      }
      const chunks: Buffer[] = [];
      let bytes = 0;
      stream.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > most) stream.destroy(new Error('it has more than it says'));
        else chunks.push(chunk);
      });
      stream.once('end', () => resolve(Buffer.concat(chunks)));
      stream.once('error', reject);
    });
  });
}
