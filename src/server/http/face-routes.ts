import multipart from '@fastify/multipart';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Config } from '../../config.ts';
import type { Faces, UploadedFace } from '../../faces/face-library.ts';
import { FaceOffError } from '../../shared/errors.ts';
import type { FaceInfo } from '../../shared/messages.ts';
import { locationOf } from '../access/base-path.ts';
import { blockedFaceRoutes } from '../uploads/blocked-face-routes.ts';
import { readPictureForm, wholeField } from '../uploads/picture-form.ts';

/**
 * `/api/faces` and `/api/blocked-faces`: list, preview, upload, deletion and thumbnails.
 * @param onChange called after every change of the list, with the face where it is a new one.
 */
export async function faceRoutes(
  app: FastifyInstance,
  faces: Faces,
  config: Config,
  onChange: (added?: FaceInfo) => void,
): Promise<void> {
  await app.register(multipart, {
    limits: { fileSize: config.limits.uploadBytes, files: 1, fields: 10, fieldSize: 1000 },
  });

  blockedFaceRoutes(app, faces, config, () => onChange());

  app.get('/api/faces', async () => faces.list());

  /** The photo of an upload, once the person has confirmed that they may use the face. */
  async function uploadOf(request: FastifyRequest): Promise<UploadedFace> {
    const { data, text } = await readPictureForm(request, config, 'file, name and consent');
    if (text('consent') !== 'true') {
      throw new FaceOffError(
        'consent_missing',
        'Confirm that you may use this face: it is yours, or the person agreed (consent=true).',
      );
    }
    const pick = text('pick');
    const to = text('face');
    return {
      data,
      name: text('name') ?? 'Face',
      ...(pick !== undefined && { pick: wholeField('pick', pick) }),
      ...(to !== undefined && { to }),
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
    await faces.remove(request.params.id);
    onChange();
    return reply.code(204).send();
  });

  app.get<{ Params: { id: string } }>('/api/faces/:id/thumbnail', async (request, reply) => {
    const image = await faces.thumbnail(request.params.id);
    return reply.type('image/webp').header('cache-control', 'private, max-age=3600').send(Buffer.from(image));
  });
}
