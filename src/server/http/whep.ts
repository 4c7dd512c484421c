import type { FastifyInstance } from 'fastify';
import type { Config } from '../../config.ts';
import type { Streams } from '../session/streams.ts';
import { resourceRoutes } from './whip-whep.ts';

/** WHEP (draft-ietf-wish-whep): a player posts an offer to a stream's address and receives what its publisher shows. */
export function whepRoutes(app: FastifyInstance, streams: Streams, config: Config): void {
  resourceRoutes(app, {
    endpoint: '/whep/:stream',
    session: '/whep/:stream/:id',
    config,
    open: (request) => streams.watch((request.params as { stream: string }).stream),
    find: (id) => streams.viewer(id),
  });
}
