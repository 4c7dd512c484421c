/** WHIP (RFC 9725): a publisher posts an offer and gets the answer; the swapped video comes back on the same connection. */

import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Config } from '../config.ts';
import { FaceOffError } from '../errors.ts';
import { iceUfrag } from './sdp.ts';
import type { Sessions } from './sessions.ts';

const SDP = 'application/sdp';
const TRICKLE = 'application/trickle-ice-sdpfrag';
/** No offer is longer. */
const BODY_LIMIT = 256 * 1024;

/** A plugin: it has body parsers of its own. */
export async function whipRoutes(app: FastifyInstance, sessions: Sessions, config: Config): Promise<void> {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser([SDP, TRICKLE], { parseAs: 'string', bodyLimit: BODY_LIMIT }, (_request, body, done) =>
    done(null, body),
  );

  app.post<{ Querystring: { face?: string } }>('/whip', { onRequest: only(SDP) }, async (request, reply) => {
    const { face } = request.query;
    const session = sessions.open(face === undefined ? {} : { face });
    let answer: string;
    try {
      answer = await session.answer(String(request.body ?? ''), true);
    } catch (error) {
      session.close('offer refused');
      throw error;
    }
    for (const link of iceLinks(config.webrtc.iceServers)) void reply.header('link', link);
    return reply
      .code(201)
      .header('location', `/whip/${session.id}`)
      .header('accept-patch', TRICKLE)
      .type(SDP)
      .send(answer);
  });

  app.patch<{ Params: { id: string } }>('/whip/:id', { onRequest: only(TRICKLE) }, async (request, reply) => {
    const session = sessionOf(sessions, request.params.id);
    const fragment = String(request.body ?? '');
    const ufrag = iceUfrag(fragment);
    if (ufrag !== null && ufrag !== session.remoteUfrag) {
      throw new FaceOffError('no_ice_restart', 'ICE restarts are not made by PATCH. Publish again with a new offer.', {
        status: 422,
      });
    }
    for (const candidate of candidatesOf(fragment)) await session.addCandidate(candidate);
    return reply.code(204).send();
  });

  app.delete<{ Params: { id: string } }>('/whip/:id', async (request, reply) => {
    sessionOf(sessions, request.params.id).close('deleted by its publisher');
    return reply.code(200).send();
  });

  app.get('/whip', async (_request, reply) => reply.code(405).header('allow', 'POST, OPTIONS').send());
  app.options('/whip', async (_request, reply) => reply.code(204).header('accept-post', SDP).send());
}

/** Refuses other content types before the body is read. */
const only = (wanted: string) => async (request: FastifyRequest) => {
  const given = request.headers['content-type'];
  if (given?.split(';')[0]?.trim().toLowerCase() === wanted) return;
  throw new FaceOffError('wrong_type', `The body must be ${wanted}, not ${given ?? 'without a content type'}.`, {
    status: 415,
  });
};

/** The servers to use on the way here, in the form of RFC 9725, 4.6. */
function iceLinks(servers: Config['webrtc']['iceServers']): string[] {
  return servers.flatMap(({ urls, username, credential }) => {
    const user = username === undefined ? '' : `; username="${quoted(username)}"`;
    const secret = credential === undefined ? '' : `; credential="${quoted(credential)}"; credential-type="password"`;
    return urls.map((url) => `<${url}>; rel="ice-server"${user}${secret}`);
  });
}

const quoted = (text: string): string => text.replace(/["\\]/g, '\\$&');

function sessionOf(sessions: Sessions, id: string) {
  const session = sessions.get(id);
  if (session === undefined)
    throw new FaceOffError('unknown_session', 'There is no such session; it may have ended.', { status: 404 });
  return session;
}

/** The candidates of an SDP fragment (RFC 8840), each with its media section. */
function candidatesOf(fragment: string) {
  let sdpMid: string | null = null;
  const found = [];
  for (const line of fragment.split(/\r?\n/)) {
    const mid = line.match(/^a=mid:(.+)$/)?.[1];
    if (mid !== undefined) sdpMid = mid;
    if (line.startsWith('a=candidate:'))
      found.push({ candidate: line.slice(2), sdpMid, sdpMLineIndex: sdpMid === null ? 0 : null });
  }
  return found;
}
