/** Forms with a picture: multipart/form-data with one file and fields of text, in any order. */

import type { MultipartFile } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import type { Config } from '../../config.ts';
import { FaceOffError, messageOf } from '../../shared/errors.ts';

type Fields = MultipartFile['fields'];

/** A form that was read. */
export interface ReadForm {
  /** The file. */
  data: Buffer;
  /** The text of a field; undefined where it is left out. */
  text(name: string): string | undefined;
}

/**
 * Reads a form. The plugin @fastify/multipart has to be registered.
 * @param fields what the form has, for the sentence of the refusal: "file, name and consent".
 * @throws FaceOffError `wrong_type` (415), `picture_too_large` (413), `bad_form` (400), `no_file` (422).
 */
export async function readPictureForm(request: FastifyRequest, config: Config, fields: string): Promise<ReadForm> {
  const { uploadBytes: bytes } = config.limits;
  return readFileForm(request, { bytes, what: 'picture' }, fields);
}

/** The file that a form may have. */
interface WantedFile {
  bytes: number;
  what: 'picture' | 'pack';
}

/** As `readPictureForm`, for any file. */
export async function readFileForm(request: FastifyRequest, file: WantedFile, fields: string): Promise<ReadForm> {
  if (!request.isMultipart())
    throw new FaceOffError('wrong_type', `Send the ${file.what} as multipart/form-data with the fields ${fields}.`);
  const length = Number(request.headers['content-length'] ?? 0);
  if (length > file.bytes + 64 * 1024) throw tooLarge(file);
  const form = await readUpload(request, file);
  return { data: form.data, text: (name) => text(form.fields, name) };
}

/** The whole number of a field, 0 to 999. @throws FaceOffError `bad_field` (422). */
export function wholeField(name: string, value: string): number {
  if (!/^\d{1,3}$/.test(value)) throw new FaceOffError('bad_field', `The field ${name} must be a whole number.`);
  return Number(value);
}

/** The parser of forms waits without end for some malformed parts: it gets so many looks once the whole body is here. */
const LOOKS = 4;
const LOOK_MS = 250;

/** Reads the file and the fields, in any order. @throws FaceOffError `picture_too_large` (413), `bad_form` (400), `no_file` (422). */
async function readUpload(request: FastifyRequest, file: WantedFile): ReturnType<typeof readParts> {
  let timer: NodeJS.Timeout | undefined;
  const stuck = new Promise<never>((_, reject) => {
    let left = LOOKS;
    timer = setInterval(() => {
      if (request.raw.complete && --left === 0) reject(badForm(new Error('a part of it is malformed')));
    }, LOOK_MS);
  });
  try {
    return await Promise.race([readParts(request, file), stuck]);
  } catch (cause) {
    if (cause instanceof FaceOffError) throw cause;
    throw (cause as { code?: string }).code === 'FST_REQ_FILE_TOO_LARGE' ? tooLarge(file) : badForm(cause);
  } finally {
    clearInterval(timer);
  }
}

/** @throws FaceOffError `no_file` (422), or an error of the parser. */
async function readParts(request: FastifyRequest, { bytes: fileSize, what }: WantedFile) {
  let data: Buffer | null = null;
  let fields: Fields = {};
  for await (const part of request.parts({ limits: { fileSize } })) {
    fields = part.fields;
    if (part.type !== 'file') continue;
    data = await part.toBuffer();
  }
  if (data === null || data.length === 0)
    throw new FaceOffError('no_file', `There is no ${what} in the upload. Send it as the field "file".`);
  return { data, fields };
}

function tooLarge({ bytes, what }: WantedFile): FaceOffError {
  const megabytes = Math.round(bytes / 2 ** 20);
  return what === 'pack'
    ? new FaceOffError(
        'bad_pack',
        `The pack has more than ${megabytes} MB. Make several of it, or raise limits.packBytes.`,
      )
    : new FaceOffError(
        'picture_too_large',
        `The picture has more than ${megabytes} MB. Save it smaller and try again.`,
      );
}

const badForm = (cause: unknown): FaceOffError =>
  new FaceOffError(
    'bad_form',
    `The form of the upload cannot be read: ${messageOf(cause)}. Send it again as a whole.`,
    {
      cause,
    },
  );

function text(fields: Fields, name: string): string | undefined {
  const field = fields[name];
  const one = Array.isArray(field) ? field[0] : field;
  return one?.type === 'field' ? String(one.value) : undefined;
}
