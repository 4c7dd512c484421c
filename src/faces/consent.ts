/**
 * The consent for a face: the sentence, when and by which person it was confirmed, for which photos; in consent.json beside
 * the photos.
 * It holds digests, no pictures.
 */

import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { Config } from '../config.ts';
import { CONSENT_STATEMENT } from '../shared/duties/consent-statement.ts';
import type { Confirmation, ConsentRecord } from '../shared/messages.ts';
import { FileSeal } from './sealed-files.ts';

const DAY_MS = 86_400_000;
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const Confirmations: z.ZodType<Confirmation[]> = z.array(
  z.strictObject({
    statement: z.string(),
    confirmedAt: z.iso.datetime(),
    confirmedBy: z.string().nullable(),
    photos: z.array(z.strictObject({ photo: z.string(), sha256, uploadSha256: sha256.nullable() })),
  }),
);

const fileIn = (folder: string): string => path.join(folder, 'consent.json');
const digestOf = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');

/** A photo as it is kept, and the picture that it was cut from; null where that is not there any more. */
export interface ConfirmedPhoto {
  photo: string;
  data: Uint8Array;
  upload: Uint8Array | null;
}

/** A confirmation of the sentence for these photos, made now. @param by name of the person who confirms; null if none was given. */
export function confirmationOf(photos: readonly ConfirmedPhoto[], by: string | null): Confirmation {
  return {
    statement: CONSENT_STATEMENT,
    confirmedAt: new Date().toISOString(),
    confirmedBy: by,
    photos: photos.map(({ photo, data, upload }) => ({
      photo,
      sha256: digestOf(data),
      uploadSha256: upload === null ? null : digestOf(upload),
    })),
  };
}

/** What consent.json of a face's folder holds; nothing where there is none. @throws Error where it cannot be read or is malformed. */
export async function readConfirmations(folder: string, seal: FileSeal): Promise<Confirmation[]> {
  const text = await seal.read(fileIn(folder)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '[]';
    throw error;
  });
  return Confirmations.parse(JSON.parse(text.toString()));
}

/** The file in a face's folder, and its content. */
export const consentFile = (folder: string, confirmations: readonly Confirmation[]): [file: string, text: string] => [
  fileIn(folder),
  `${JSON.stringify(confirmations, null, 2)}\n`,
];

/** When the consent for the photos was last confirmed: of the photo that waits longest; null where one never was. */
export function consentedAt(confirmations: readonly Confirmation[], photos: readonly string[]): string | null {
  const newest = photos.map((photo) =>
    confirmations
      .filter((one) => one.photos.some((confirmed) => confirmed.photo === photo))
      .map((one) => one.confirmedAt)
      .sort()
      .at(-1),
  );
  return newest.includes(undefined) ? null : (newest as string[]).sort()[0]!;
}

/** Whether a consent has to be confirmed again. @param days how long one holds. */
export const isConsentDue = (at: string | null, days: number, nowMs = Date.now()): boolean =>
  at === null || nowMs - Date.parse(at) > days * DAY_MS;

/**
 * The consents for all faces of a data folder, from disk: for an export without a server.
 * @throws FaceOffError `faces_key_missing`, `faces_key_wrong`; Error of the file system, or where a file is malformed.
 */
export async function consentsIn(config: Pick<Config, 'storage' | 'faces'>): Promise<ConsentRecord[]> {
  const folder = path.join(config.storage.dir, 'faces');
  const seal = await FileSeal.of(config);
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const records: ConsentRecord[] = [];
  for (const face of names.filter((name) => !name.endsWith('.part')).sort()) {
    const text = await seal.read(path.join(folder, face, 'face.json')).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== undefined && /^E/.test(error.code)) return null;
      throw error;
    });
    if (text === null) continue;
    const Named = z.object({ name: z.string(), photos: z.array(z.string()) });
    const { name, photos } = Named.parse(JSON.parse(text.toString()));
    const confirmations = await readConfirmations(path.join(folder, face), seal);
    records.push({
      face,
      name,
      due: isConsentDue(consentedAt(confirmations, photos), config.faces.consentDays),
      confirmations,
    });
  }
  return records;
}
