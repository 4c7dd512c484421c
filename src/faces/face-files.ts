/** Faces as folders of photos with `face.json` and the record of consent. */

import { randomUUID } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { makeFolder } from '../lib/system/make-folder.ts';
import { writeWhole } from '../lib/system/whole-file.ts';
import type { Confirmation } from '../shared/messages.ts';
import { confirmationOf, consentFile } from './consent.ts';

/** What `face.json` holds. */
export const FaceRecord = z.strictObject({
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

/** Writes a new face below `root`: whole, or nothing of it. @throws Error where the disk refuses. */
export async function writeFace(root: string, upload: KeptUpload, photo: Uint8Array): Promise<FaceEntry> {
  const id = randomUUID();
  const file = 'photo.webp';
  const folder = path.join(root, id);
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
  try {
    await makeFolder(aside);
    await writeFile(path.join(aside, file), photo, { flush: true });
    await writeFile(...consentFile(aside, entry.confirmations), { flush: true });
    await writeFile(path.join(aside, 'face.json'), recordOf(entry), { flush: true });
    await rename(aside, folder);
  } catch (error) {
    await rm(aside, { recursive: true, force: true }).catch(() => undefined);
    throw error;
  }
  return entry;
}

/** Writes a further photo of a face. @throws Error where the disk refuses; the face is then as it was. */
export async function writePhoto(known: FaceEntry, upload: KeptUpload, photo: Uint8Array): Promise<FaceEntry> {
  const file = `photo-${randomUUID().slice(0, 8)}.webp`;
  const confirmed = confirmationOf([{ photo: file, data: photo, upload: upload.data }], upload.confirmedBy ?? null);
  const confirmations = [...known.confirmations, confirmed];
  const entry = { ...known, photos: [...known.photos, file], confirmations };
  const at = path.join(known.folder, file);
  try {
    await writeWhole(at, photo);
    await writeWhole(...consentFile(known.folder, confirmations));
    await writeWhole(path.join(known.folder, 'face.json'), recordOf(entry));
  } catch (error) {
    await rm(at, { force: true }).catch(() => undefined);
    throw error;
  }
  return entry;
}

const recordOf = ({ name, addedAt, photos, licence }: FaceEntry): string =>
  `${JSON.stringify({ name, addedAt, photos, licence }, null, 2)}\n`;
