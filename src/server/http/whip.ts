import type { FastifyInstance } from 'fastify';
import type { Config } from '../../config.ts';
import type { Sessions } from '../session/sessions.ts';
import { resourceRoutes } from './whip-whep.ts';

interface Query {
  /** Id of the face to begin with. */
  face?: string;
  /** Name under which viewers find the stream. */
  stream?: string;
}

/** WHIP (RFC 9725): a publisher posts an offer; the swapped video comes back on the same connection. */
export function whipRoutes(app: FastifyInstance, sessions: Sessions, config: Config): void {
  resourceRoutes(app, {
    endpoint: '/whip',
    session: '/whip/:id',
    config,
    open(request) {
      const { face, stream } = request.query as Query;
      return sessions.open(face === undefined ? {} : { face }, {}, stream);
    },
    find: (id) => sessions.get(id),
  });
}
