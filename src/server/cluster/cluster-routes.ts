/** `/api/cluster/…`: tokens for a LiveKit cluster, and another worker for a publisher that sees no picture. */

import type { FastifyInstance } from 'fastify';
import type { Config } from '../../config.ts';
import { liveKitOf } from '../../livekit/livekit-settings.ts';
import { settingsFrom } from '../session/session-settings.ts';
import type { Cluster } from './cluster.ts';

interface OfStream {
  Params: { stream: string };
}
interface OfPublisher {
  Params: { stream: string; publisher: string };
}

/**
 * Registers the routes. A plugin under which bodies are read as text.
 * @param cluster null where no LiveKit is set: every route then answers `no_livekit` (409).
 * @param jsonOf parses a body. @throws FaceOffError `bad_json` (400).
 */
export function clusterRoutes(
  app: FastifyInstance,
  cluster: Cluster | null,
  config: Config,
  jsonOf: (request: { body: unknown }) => unknown,
): void {
  const at = '/api/cluster/streams/:stream';
  const there = (): Cluster => {
    // Throws where no LiveKit is set.
    liveKitOf(config);
    return cluster!;
  };
  app.post<OfStream>(`${at}/publishers`, async (request, reply) =>
    reply.code(201).send(there().publisher(request.params.stream, settingsFrom(jsonOf(request)))),
  );
  app.post<OfStream>(`${at}/viewers`, async ({ params }, reply) => reply.code(201).send(there().viewer(params.stream)));
  app.post<OfPublisher>(`${at}/publishers/:publisher/dispatch`, async ({ params }) =>
    there().dispatchAgain(params.stream, params.publisher),
  );
}
