/** Metrics for Prometheus, among the other routes or on a port of their own. */

import type { FastifyInstance } from 'fastify';
import type { Config } from '../../config.ts';
import type { Metrics } from '../../metrics.ts';
import { FaceOffError } from '../../shared/errors.ts';
import { checkOrigin } from '../access/origin.ts';
import { sendError } from './error-reply.ts';

/** Host on which metrics are served where `metrics.port` is set and `metrics.host` is not. */
export const METRICS_HOST = '127.0.0.1';

/** Serves /metrics. @param measure brings gauges up to date that are not set as they change. */
export function metricsRoute(app: FastifyInstance, { registry }: Metrics, measure: () => void): void {
  app.get('/metrics', async (_request, reply) => {
    measure();
    return reply.type(registry.contentType).send(await registry.metrics());
  });
}

/**
 * Makes a listener that serves /metrics alone. It needs no token, because metrics hold no pictures and no names of
 * people, streams or addresses; pages of other sites are refused as by the server itself.
 */
export function keepToMetrics(app: FastifyInstance, { metrics, server }: Pick<Config, 'metrics' | 'server'>): void {
  const { host } = metrics;
  app.setErrorHandler((error, _request, reply) => sendError(reply, error));
  app.setNotFoundHandler(() => {
    throw new FaceOffError('not_found', 'Only GET /metrics is served on this port.');
  });
  app.addHook('onRequest', async (request) => {
    checkOrigin(request.headers, { host: host ?? METRICS_HOST, names: server.names });
  });
}
