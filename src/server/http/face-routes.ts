import multipart from '@fastify/multipart';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Config } from '../../config.ts';
import type { Faces, UploadedFace } from '../../faces/face-service.ts';
import { FaceOffError } from '../../shared/errors.ts';
import type { FaceInfo } from '../../shared/messages.ts';
import { locationOf } from '../access/base-path.ts';
import { CONFIRMER_LENGTH } from '../openapi/request-schemas.ts';

import { blockedFaceRoutes } from '../uploads/blocked-face-routes.ts';
import { facePackRoutes } from '../uploads/face-pack-routes.ts';
import { readPictureForm, wholeField } from '../uploads/picture-form.ts';

/** What the face routes use. */
export interface FaceParts {
  faces: Faces;
  config: Config;
  /** Removes a face, also from presets. @throws FaceOffError as `Faces.remove` does. */
  removeFace(id: string): Promise<void>;
  /** Called after a face or a photo was added, with the face where it is a new one. */
  onChange(added?: FaceInfo): void;
}

/** `/api/faces` and `/api/blocked-faces`: list, preview, upload, deletion and thumbnails. */
export async function faceRoutes(
  app: FastifyInstance,
  { faces, config, removeFace, onChange }: FaceParts,
): Promise<void> {
  await app.register(multipart, { limits: { files: 1, fields: 10, fieldSize: 1000 } });

  blockedFaceRoutes(app, faces, config);
  facePackRoutes(app, faces, config, onChange);

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
    const confirmedBy = text('confirmedBy')?.trim().slice(0, CONFIRMER_LENGTH);
    return {
      data,
      name: text('name') ?? 'Face',
      ...(pick !== undefined && { pick: wholeField('pick', pick) }),
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

  app.get<{ Params: { id: string } }>('/api/faces/:id', async ({ params }) => faces.report(params.id));

  app.get<{ Params: { id: string; index: string } }>('/api/faces/:id/photos/:index', async ({ params }, reply) => {
    const photo = await faces.photo(params.id, wholeField('photo', params.index));
    return reply.type('image/webp').header('cache-control', 'private, max-age=3600').send(Buffer.from(photo));
  });

  app.get<{ Params: { id: string } }>('/api/faces/:id/thumbnail', async (request, reply) => {
    const image = await faces.thumbnail(request.params.id);
    return reply.type('image/webp').header('cache-control', 'private, max-age=3600').send(Buffer.from(image));
  });
}
