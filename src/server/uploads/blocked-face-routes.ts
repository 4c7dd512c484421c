import type { FastifyInstance } from 'fastify';
import type { Config } from '../../config.ts';
import type { Faces } from '../../faces/face-service.ts';
import { locationOf } from '../access/base-path.ts';
import { readPictureForm, wholeField } from './picture-form.ts';

/** `/api/blocked-faces`: the faces that this server does not take. Needs @fastify/multipart. */
export function blockedFaceRoutes(app: FastifyInstance, faces: Faces, config: Config): void {
  app.get('/api/blocked-faces', async () => faces.blocked());

  app.post('/api/blocked-faces', async (request, reply) => {
    const { data, text } = await readPictureForm(request, config, 'file and note');
    const pick = text('pick');
    const blocked = await faces.block({
      data,
      note: text('note') ?? '',
      ...(pick !== undefined && { pick: wholeField('pick', pick) }),
    });
    return reply
      .code(201)
      .header('location', locationOf(request, `/api/blocked-faces/${blocked.id}`, config.server.basePath))
      .send(blocked);
  });

  app.delete<{ Params: { id: string } }>('/api/blocked-faces/:id', async (request, reply) => {
    await faces.unblock(request.params.id);
    return reply.code(204).send();
  });
}
