import type { FastifyInstance } from 'fastify';
import { sendPage } from '../access/pages.ts';
import { type DocumentedServer, openApiDocument } from './openapi-document.ts';

/** `/api/openapi.json` and `/api/docs`, the page that shows it. */
export function openApiRoutes(app: FastifyInstance, server: DocumentedServer): void {
  const document = JSON.stringify(openApiDocument(server));
  app.get('/api/openapi.json', async (_request, reply) =>
    reply.type('application/json').header('cache-control', 'no-cache').send(document),
  );
  app.get('/api/docs', (request, reply) => sendPage(request, reply, 'docs.html'));
}
