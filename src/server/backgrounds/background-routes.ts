import type { FastifyInstance } from 'fastify';
import type { Config } from '../../config.ts';
import { locationOf } from '../access/base-path.ts';
import { readPictureForm } from '../uploads/picture-form.ts';
import type { BackgroundLibrary } from './background-library.ts';

/**
 * `/api/backgrounds`: list, upload, deletion and thumbnails. Needs @fastify/multipart.
 * @param onRemoved called after a picture was removed.
 */
export function backgroundRoutes(
  app: FastifyInstance,
  backgrounds: BackgroundLibrary,
  config: Config,
  onRemoved: (id: string) => Promise<void>,
): void {
  app.get('/api/backgrounds', async () => backgrounds.list());

  app.post('/api/backgrounds', async (request, reply) => {
    const { data } = await readPictureForm(request, config, 'file');
    const added = await backgrounds.add(data);
    return reply
      .code(201)
      .header('location', locationOf(request, `/api/backgrounds/${added.id}`, config.server.basePath))
      .send(added);
  });

  app.delete<{ Params: { id: string } }>('/api/backgrounds/:id', async (request, reply) => {
    const { id } = request.params;
    await backgrounds.remove(id);
    await onRemoved(id);
    return reply.code(204).send();
  });

  app.get<{ Params: { id: string } }>('/api/backgrounds/:id/thumbnail', async (request, reply) => {
    const image = await backgrounds.thumbnail(request.params.id);
    return reply.type('image/webp').header('cache-control', 'private, max-age=3600').send(Buffer.from(image));
  });
}
