/**
 * Packs of faces: photos with names and licences, and pack.json, which lists them. A pack holds no consent: that is given
 * anew where it is imported.
 */

import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { ZipFile as ZipWriter } from 'yazl';
import { z } from 'zod';
import { FaceOffError } from '../../shared/errors.ts';
import type { FaceInfo, PackImport } from '../../shared/messages.ts';
import type { Faces, UploadedFace } from '../face-service.ts';
import { badPack, type PackSource } from './pack-source.ts';

/** Its file that lists the faces. */
const LIST = 'pack.json';
/** Most bytes of that file. */
const LIST_BYTES = 2 ** 20;
/** Most faces of a pack. */
const MOST_FACES = 500;
/** Most characters of a licence. */
const LONGEST_LICENCE = 300;

const PackList = z.strictObject({
  format: z.literal('faceoff-faces'),
  version: z.literal(1),
  faces: z
    .array(
      z.strictObject({
        name: z.string().min(1).max(80),
        licence: z.string().max(LONGEST_LICENCE).nullable().default(null),
        photos: z.array(z.string().min(1).max(300)).min(1).max(8),
      }),
    )
    .min(1)
    .max(MOST_FACES),
});

/** What a pack may cost. */
export interface PackLimits {
  /** Bytes of all its photos together. */
  bytes: number;
  /** Bytes of one photo. */
  photoBytes: number;
}

/**
 * Adds the faces of a pack, one after another, by the checks of any face: a blocked one, or a photo without a face, is
 * refused, and the others are added.
 * @param confirmedBy name of the person who confirms that all of them may be used.
 * @throws FaceOffError `bad_pack` (422) where its list cannot be read; then nothing is added.
 */
export async function importPack(
  source: PackSource,
  faces: Pick<Faces, 'add'>,
  limits: PackLimits,
  confirmedBy?: string,
): Promise<PackImport> {
  const list = await listOf(source);
  const result: PackImport = { added: [], refused: [] };
  let left = limits.bytes;
  for (const { name, licence, photos } of list.faces) {
    let added: FaceInfo | null = null;
    for (const photo of photos) {
      try {
        const data = await source.read(photo, Math.min(left, limits.photoBytes));
        left -= data.length;
        // A photo may show other people at its edge: the largest face is the one.
        const upload: UploadedFace = { data, name, pick: 0, ...(licence !== null && { licence }) };
        if (added !== null) upload.to = added.id;
        if (confirmedBy !== undefined) upload.confirmedBy = confirmedBy;
        added = await faces.add(upload);
      } catch (error) {
        if (!(error instanceof FaceOffError)) throw error;
        result.refused.push({ name, photo, code: error.code, message: error.message });
      }
    }
    if (added !== null) result.added.push(added);
  }
  return result;
}

/** The list of a pack. @throws FaceOffError `bad_pack` (422). */
export async function listOf(source: PackSource): Promise<z.infer<typeof PackList>> {
  const text = (await source.read(LIST, LIST_BYTES)).toString('utf8');
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (cause) {
    throw badPack(`${LIST} is no JSON.`, cause);
  }
  const { success, data, error } = PackList.safeParse(given);
  if (success) return data;
  const [issue] = error.issues;
  throw badPack(`${LIST}: ${issue!.path.join('.') || 'the list'}: ${issue!.message}.`, error);
}

/**
 * Faces that people added as a pack: a zip with their photos as they are kept. Photos that cannot be read end the stream with an
 * error.
 * @param ids which ones; all where absent. @throws FaceOffError `unknown_face` (404), `no_own_faces` (404) where there are none.
 */
export async function packOf(faces: Pick<Faces, 'list' | 'photo'>, ids?: readonly string[]): Promise<Buffer> {
  const own = faces.list().filter(({ builtIn }) => !builtIn);
  for (const id of ids ?? []) {
    if (own.some((face) => face.id === id)) continue;
    throw new FaceOffError('unknown_face', `No face that was added has the id "${id.slice(0, 64)}".`);
  }
  const chosen = own.filter(({ id }) => ids === undefined || ids.includes(id));
  if (chosen.length === 0)
    throw new FaceOffError('no_own_faces', 'There are no faces to export: included ones are everywhere.');
  const zip = new ZipWriter();
  const listed: z.infer<typeof PackList>['faces'] = [];
  for (const [at, face] of chosen.entries()) {
    const photos: string[] = [];
    for (let index = 0; index < face.photos; index++) {
      const photo = `${at + 1}/photo-${index + 1}.webp`;
      zip.addBuffer(Buffer.from(await faces.photo(face.id, index)), photo, { compress: false });
      photos.push(photo);
    }
    listed.push({ name: face.name, licence: face.licence, photos });
  }
  zip.addBuffer(
    Buffer.from(`${JSON.stringify({ format: 'faceoff-faces', version: 1, faces: listed }, null, 2)}\n`),
    LIST,
  );
  zip.end();
  return buffer(zip.outputStream as Readable);
}
