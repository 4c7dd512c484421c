import type { FastifyInstance } from 'fastify';
import type { Config } from '../../config.ts';
import type { Sessions } from '../session/sessions.ts';
import { resourceRoutes } from './whip-whep.ts';

interface Query {
  /** Id of the face to begin with. */
  face?: string;
  /** Name under which viewers find the stream. */
  stream?: string;
  /** Id of the publisher's session before this one, the end of its `Location`. */
  again?: string;
}

/** WHIP (RFC 9725): a publisher posts an offer; the swapped video comes back on the same connection. */
export function whipRoutes(app: FastifyInstance, sessions: Sessions, config: Config): void {
  resourceRoutes(app, {
    endpoint: '/whip',
    session: '/whip/:id',
    config,
    async open(request) {
      const { face, stream, again } = request.query as Query;
      const before = stream === undefined ? null : await sessions.takeOver(stream, again);
      const session = sessions.open({ ...before?.settings, ...(face !== undefined && { face }) }, {}, stream);
      if (before !== null && before.still !== null) session.beginWith(before.still);
      return session;
    },
    find: (id) => sessions.get(id),
  });
}
