/** The worker's own HTTP server: `/healthz`, `/readyz`, `/metrics`. It needs no token: it shows no names and no pictures. */

import fastify, { type FastifyInstance } from 'fastify';
import type { Config } from '../config.ts';
import type { Metrics } from '../metrics.ts';
import { checkOrigin } from '../server/access/origin.ts';
import type { Agent } from './agent.ts';

/**
 * Builds the server; it listens on `livekit.healthHost` and `livekit.healthPort`. `/readyz` is 503 while LiveKit gives this
 * worker no jobs, whether full or not: a full worker is ready.
 */
export function healthServer({ livekit, server }: Config, agent: Agent, metrics: Metrics): FastifyInstance {
  const app = fastify({ logger: false, forceCloseConnections: true });
  app.addHook('onRequest', async ({ headers }) => {
    checkOrigin(headers, { host: livekit.healthHost, names: server.names });
  });
  app.get('/healthz', async () => ({ ok: true }));
  app.get('/readyz', async (_request, reply) => {
    const { isRegistered, isDraining } = agent;
    const ready = isRegistered && !isDraining;
    return reply
      .code(ready ? 200 : 503)
      .send({ ready, draining: isDraining, registered: isRegistered, ...agent.figures });
  });
  app.get('/metrics', async (_request, reply) => {
    agent.measure();
    return reply.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });
  return app;
}
