import multipart, { type MultipartFile } from '@fastify/multipart';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Config } from '../../config.ts';
import type { Faces, UploadedFace } from '../../faces/face-library.ts';
import { FaceOffError, messageOf } from '../../shared/errors.ts';
import type { FaceInfo } from '../../shared/messages.ts';
import { locationOf } from '../access/base-path.ts';
import { CONFIRMER_LENGTH } from '../openapi/request-schemas.ts';

type Fields = MultipartFile['fields'];

/** What the face routes use. */
export interface FaceParts {
  faces: Faces;
  config: Config;
  /** Removes a face everywhere. @throws FaceOffError as `Faces.remove` does. */
  removeFace(id: string): Promise<void>;
  /** Called after a face or a photo was added, with the face where it is a new one. */
  onChange(added?: FaceInfo): void;
}

/** `/api/faces`: list, preview, upload, deletion and thumbnails. */
export async function faceRoutes(
  app: FastifyInstance,
  { faces, config, removeFace, onChange }: FaceParts,
): Promise<void> {
  await app.register(multipart, { limits: { files: 1, fields: 10, fieldSize: 1000 } });

  app.get('/api/faces', async () => faces.list());

  /** The photo of an upload, once the person has confirmed that they may use the face. */
  async function uploadOf(request: FastifyRequest): Promise<UploadedFace> {
    if (!request.isMultipart()) {
      throw new FaceOffError(
        'wrong_type',
        'Send the picture as multipart/form-data with the fields file, name and consent.',
      );
    }
    const length = Number(request.headers['content-length'] ?? 0);
    if (length > config.limits.uploadBytes + 64 * 1024) throw tooLarge(config);
    const { data, fields } = await readUpload(request, config);
    if (text(fields, 'consent') !== 'true') {
      throw new FaceOffError(
        'consent_missing',
        'Confirm that you may use this face: it is yours, or the person agreed (consent=true).',
      );
    }
    const pick = text(fields, 'pick');
    const to = text(fields, 'face');
    const confirmedBy = text(fields, 'confirmedBy')?.trim().slice(0, CONFIRMER_LENGTH);
    return {
      data,
      name: text(fields, 'name') ?? 'Face',
      ...(pick !== undefined && { pick: wholeNumber(pick) }),
      ...(to !== undefined && { to }),
      ...(confirmedBy !== undefined && confirmedBy !== '' && { confirmedBy }),
    };
  }

  app.post('/api/faces/preview', async (request) => faces.preview(await uploadOf(request)));

  app.post('/api/faces', async (request, reply) => {
    const upload = await uploadOf(request);
    const info = await faces.add(upload);
    onChange(upload.to === undefined ? info : undefined);
    return reply
      .code(201)
      .header('location', locationOf(request, `/api/faces/${info.id}`, config.server.basePath))
      .send(info);
  });

  app.delete<{ Params: { id: string } }>('/api/faces/:id', async (request, reply) => {
    await removeFace(request.params.id);
    return reply.code(204).send();
  });

  app.get<{ Params: { id: string } }>('/api/faces/:id/thumbnail', async (request, reply) => {
    const image = await faces.thumbnail(request.params.id);
    return reply.type('image/webp').header('cache-control', 'private, max-age=3600').send(Buffer.from(image));
  });
}

/** The parser of forms waits without end for some malformed parts: it gets so many looks once the whole body is here. */
const LOOKS = 4;
const LOOK_MS = 250;

/** Reads the file and the fields, in any order. @throws FaceOffError `picture_too_large` (413), `bad_form` (400), `no_file` (422). */
async function readUpload(request: FastifyRequest, config: Config): ReturnType<typeof readParts> {
  let timer: NodeJS.Timeout | undefined;
  const stuck = new Promise<never>((_, reject) => {
    let left = LOOKS;
    timer = setInterval(() => {
      if (request.raw.complete && --left === 0) reject(badForm(new Error('a part of it is malformed')));
    }, LOOK_MS);
  });
  try {
    return await Promise.race([readParts(request, config.limits.uploadBytes), stuck]);
  } catch (cause) {
    if (cause instanceof FaceOffError) throw cause;
    throw (cause as { code?: string }).code === 'FST_REQ_FILE_TOO_LARGE' ? tooLarge(config) : badForm(cause);
  } finally {
    clearInterval(timer);
  }
}

/** @throws FaceOffError `no_file` (422), or an error of the parser. */
async function readParts(request: FastifyRequest, fileSize: number) {
  let data: Buffer | null = null;
  let fields: Fields = {};
  for await (const part of request.parts({ limits: { fileSize } })) {
    fields = part.fields;
    if (part.type !== 'file') continue;
    data = await part.toBuffer();
  }
  if (data === null || data.length === 0)
    throw new FaceOffError('no_file', 'There is no picture in the upload. Send it as the field "file".');
  return { data, fields };
}

function tooLarge({ limits }: Config): FaceOffError {
  return new FaceOffError(
    'picture_too_large',
    `The picture has more than ${Math.round(limits.uploadBytes / 2 ** 20)} MB. Save it smaller and try again.`,
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

function wholeNumber(value: string): number {
  if (!/^\d{1,3}$/.test(value)) throw new FaceOffError('bad_field', 'The field pick must be a whole number.');
  return Number(value);
}
