import type { FastifyInstance } from 'fastify';
import { kindNamed, reportOf } from '../../cache/cache-report.ts';
import { clear } from '../../cache/cleanup.ts';
import type { Config } from '../../config.ts';
import { FaceOffError } from '../../shared/errors.ts';

/** `/api/cache`: lists the cache folder and deletes kinds of files that can be created again. */
export function cacheRoutes(app: FastifyInstance, { models, cache }: Pick<Config, 'models' | 'cache'>): void {
  const { cacheDir } = models;
  app.get('/api/cache', async () => ({ limits: cache, kinds: await reportOf(cacheDir) }));

  app.delete<{ Params: { kind: string } }>('/api/cache/:kind', async ({ params }) => {
    const kind = kindNamed(params.kind);
    if (kind.personal) throw new FaceOffError('people_kept', 'Faces are deleted one at a time: DELETE /api/faces/ID.');
    const { deleted, held } = await clear(cacheDir, [kind]);
    return { deleted: deleted.length, bytes: deleted.reduce((sum, { bytes }) => sum + bytes, 0), inUse: held.length };
  });
}
