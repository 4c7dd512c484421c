import type { FastifyInstance } from 'fastify';
import { kindNamed, reportOf } from '../../cache/cache-report.ts';
import { clear } from '../../cache/cleanup.ts';
import type { Config } from '../../config.ts';

/** `/api/cache`: lists the cache folder; DELETE of a kind deletes its items that are not in use. */
export function cacheRoutes(app: FastifyInstance, { models, cache }: Pick<Config, 'models' | 'cache'>): void {
  const { cacheDir } = models;
  app.get('/api/cache', async () => ({ limits: cache, kinds: await reportOf(cacheDir) }));

  app.delete<{ Params: { kind: string } }>('/api/cache/:kind', async ({ params }) => {
    const { deleted, held } = await clear(cacheDir, [kindNamed(params.kind)]);
    return { deleted: deleted.length, bytes: deleted.reduce((sum, { bytes }) => sum + bytes, 0), inUse: held.length };
  });
}
