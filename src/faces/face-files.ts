/** Faces as folders of photos with `face.json` and the record of consent. */

import { randomUUID } from 'node:crypto';
import { readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { withFolderLock } from '../lib/system/folder-lock.ts';
import { makeFolder } from '../lib/system/make-folder.ts';
import { writeWhole } from '../lib/system/whole-file.ts';
import { FaceOffError, messageOf } from '../shared/errors.ts';
import type { Confirmation } from '../shared/messages.ts';
import { confirmationOf, consentFile, readConfirmations } from './consent.ts';
import type { FileSeal } from './sealed-files.ts';

/** What `face.json` holds. */
const FaceRecord = z.strictObject({
  name: z.string(),
  addedAt: z.string(),
  photos: z.array(z.string()).min(1),
  /** Of the photos; absent where none is known. */
  licence: z.string().optional(),
});

/** A face of the library. */
export interface FaceEntry extends z.infer<typeof FaceRecord> {
  id: string;
  builtIn: boolean;
  folder: string;
  /** The newest last. */
  confirmations: Confirmation[];
}

/** What of an upload is kept beside its photo. */
export interface KeptUpload {
  /** The file as it was sent, of which a digest is kept. */
  data: Uint8Array;
  name: string;
  /** Name of the person who confirmed that the face may be used. */
  confirmedBy?: string;
  /** Of the photo. */
  licence?: string;
}

/** What was begun so long ago, and not finished, is left by a process that is gone; others may write at this moment. */
const ABANDONED_MS = 3_600_000;

/** The faces below `storage.dir`, which several processes may read and write. */
export class FaceFolder {
  readonly #root: string;
  readonly #seal: FileSeal;

  /** @param root `faces` in `storage.dir`. */
  constructor(root: string, seal: FileSeal) {
    this.#root = root;
    this.#seal = seal;
  }

  /** Ids of the faces that are there. The folder is made where it is missing. @throws Error of the file system. */
  async ids(): Promise<string[]> {
    await makeFolder(this.#root);
    return (await readdir(this.#root)).filter((name) => !name.startsWith('.') && !name.endsWith('.part'));
  }

  /** Finishes removals and forgets writings that were left by processes that are gone. */
  async clean(): Promise<void> {
    for (const name of await readdir(this.#root).catch(() => [])) {
      const folder = path.join(this.#root, name);
      const { mtimeMs } = await stat(folder).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
      if (name.endsWith('.part') && Date.now() - mtimeMs > ABANDONED_MS)
        await rm(folder, { recursive: true, force: true }).catch(() => undefined);
    }
  }

  /** Changes when a face's record or consent does; null where there is no such face. */
  async stateOf(id: string): Promise<string | null> {
    const of = async (file: string): Promise<string> => {
      const { mtimeMs, size, ino } = await stat(path.join(this.#root, id, file));
      return `${mtimeMs} ${size} ${ino}`;
    };
    const [record, consent] = await Promise.all([
      of('face.json').catch(() => null),
      of('consent.json').catch(() => 'none'),
    ]);
    return record === null ? null : `${record} ${consent}`;
  }

  /**
   * Reads a face.
   * @param onUnread told why the record of consent cannot be read; there is none then, and the consent is asked again.
   * @throws FaceOffError `faces_key_missing`, `faces_key_wrong`; Error where it is gone or damaged.
   */
  async read(id: string, onUnread: (error: unknown) => void): Promise<FaceEntry> {
    const folder = path.join(this.#root, id);
    const record = FaceRecord.parse(JSON.parse((await this.#seal.read(path.join(folder, 'face.json'))).toString()));
    const confirmations = await readConfirmations(folder, this.#seal).catch((error: unknown) => {
      onUnread(error);
      return [];
    });
    return { ...record, id, builtIn: false, folder, confirmations };
  }

  /** A photo of a face. @throws FaceOffError, Error as `read`. */
  photo({ folder }: Pick<FaceEntry, 'folder'>, photo: string): Promise<Buffer> {
    return this.#seal.read(path.join(folder, photo));
  }

  /** Writes a new face: whole, or nothing of it. @throws Error where the disk refuses. */
  async write(upload: KeptUpload, photo: Uint8Array): Promise<FaceEntry> {
    const id = randomUUID();
    const file = 'photo.webp';
    const folder = path.join(this.#root, id);
    const entry: FaceEntry = {
      id,
      name: (upload.name.trim() || 'Face').slice(0, 80),
      builtIn: false,
      folder,
      addedAt: new Date().toISOString(),
      photos: [file],
      ...(upload.licence !== undefined && { licence: upload.licence }),
      confirmations: [confirmationOf([{ photo: file, data: photo, upload: upload.data }], upload.confirmedBy ?? null)],
    };
    const aside = `${folder}.part`;
    const put = (at: string, data: string | Uint8Array): Promise<void> =>
      writeFile(at, this.#seal.seal(data, at), { flush: true });
    try {
      await makeFolder(aside);
      await put(path.join(aside, file), photo);
      await put(...consentFile(aside, entry.confirmations));
      await put(path.join(aside, 'face.json'), recordOf(entry));
      await rename(aside, folder);
    } catch (error) {
      await rm(aside, { recursive: true, force: true }).catch(() => undefined);
      throw error;
    }
    return entry;
  }

  /** Writes a further photo of a face. @throws Error where the disk refuses; the face is then as it was. */
  addPhoto({ id, folder }: FaceEntry, upload: KeptUpload, photo: Uint8Array): Promise<FaceEntry> {
    return withFolderLock(folder, async () => {
      // Another process may have added a photo since the face was read.
      const known = await this.read(id, raise);
      const file = `photo-${randomUUID().slice(0, 8)}.webp`;
      const confirmed = confirmationOf([{ photo: file, data: photo, upload: upload.data }], upload.confirmedBy ?? null);
      const entry = {
        ...known,
        photos: [...known.photos, file],
        confirmations: [...known.confirmations, confirmed],
      };
      const at = path.join(folder, file);
      try {
        await this.#put(at, photo);
        await this.#put(...consentFile(folder, entry.confirmations));
        await this.#put(path.join(folder, 'face.json'), recordOf(entry));
      } catch (error) {
        await rm(at, { force: true }).catch(() => undefined);
        throw error;
      }
      return entry;
    });
  }

  /** Records one more confirmation. @throws Error where the disk refuses. */
  confirm({ id, folder }: FaceEntry, confirmed: Confirmation): Promise<FaceEntry> {
    return withFolderLock(folder, async () => {
      const known = await this.read(id, raise);
      const confirmations = [...known.confirmations, confirmed];
      await this.#put(...consentFile(folder, confirmations));
      return { ...known, confirmations };
    });
  }

  /** Removes a face; one that another process removed is none to remove. @throws Error where the disk refuses. */
  async remove({ folder }: FaceEntry): Promise<void> {
    // Renamed first: an interrupted removal is finished at a later start.
    const aside = `${folder}.part`;
    await rename(folder, aside).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
    await rm(aside, { recursive: true, force: true }).catch(() => undefined);
  }

  #put(file: string, data: string | Uint8Array): Promise<void> {
    return writeWhole(file, this.#seal.seal(data, file));
  }
}

function raise(error: unknown): never {
  throw error;
}

const recordOf = ({ name, addedAt, photos, licence }: FaceEntry): string =>
  `${JSON.stringify({ name, addedAt, photos, licence }, null, 2)}\n`;

/** There is no such face: `unknown_face` (404). */
export const unknownFace = (id: string): FaceOffError =>
  new FaceOffError('unknown_face', `There is no face with the id "${id}".`);

/** The error for a face whose photos were damaged on disk, or are gone: `face_damaged` (410). */
export const damagedFace = (id: string, cause: unknown): FaceOffError =>
  new FaceOffError(
    'face_damaged',
    `The photos of the face ${id} cannot be read any more: ${messageOf(cause)}. Delete the face, and add it again.`,
    { cause },
  );
