import type { FastifyInstance } from 'fastify';
import type { Config } from '../../config.ts';
import { locationOf } from '../access/base-path.ts';
import { sendPage } from '../access/pages.ts';
import { openApiDocument } from './openapi-document.ts';

/** `/api/openapi.json` and `/api/docs`, the page that shows it. */
export function openApiRoutes(app: FastifyInstance, version: string, { server, metrics }: Config): void {
  const document = openApiDocument({
    version,
    locked: server.token !== null,
    metrics: metrics.enabled && metrics.port === null,
  });
  app.get('/api/openapi.json', async (request, reply) => {
    const url = locationOf(request, '/', server.basePath).replace(/(?<=.)\/$/, '');
    return reply.header('cache-control', 'no-cache').send({ ...document, servers: [{ url }] });
  });
  app.get('/api/docs', (request, reply) => sendPage(request, reply, 'docs.html'));
}
