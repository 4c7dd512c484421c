/** WHIP (RFC 9725): a publisher posts an offer and gets the answer; the swapped video comes back on the same connection. */

import type { FastifyInstance } from 'fastify';
import type { Config } from '../../config.ts';
import type { Sessions } from '../session/sessions.ts';
import { resourceRoutes } from './whip-whep.ts';

/** `?face=ID` is the face to begin with, `?stream=NAME` what others find the stream by. */
interface Query {
  face?: string;
  stream?: string;
}

export function whipRoutes(app: FastifyInstance, sessions: Sessions, { webrtc }: Config): void {
  resourceRoutes(app, {
    endpoint: '/whip',
    session: '/whip/:id',
    webrtc,
    open(request) {
      const { face, stream } = request.query as Query;
      return sessions.open(face === undefined ? {} : { face }, {}, stream);
    },
    find: (id) => sessions.get(id),
  });
}
