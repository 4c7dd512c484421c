/**
 * What WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep) share: POST of an offer creates a session, PATCH adds
 * candidates to it or restarts its ICE, and DELETE ends it. An entity tag identifies the ICE session.
 */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Config } from '../../config.ts';
import { FaceOffError } from '../../shared/errors.ts';
import { locationOf } from '../access/base-path.ts';
import { announcedAddresses } from '../webrtc/announce.ts';
import { reachableFirst } from '../webrtc/candidate-order.ts';
import { readFragment } from '../webrtc/ice-fragment.ts';
import { type IceServer, iceServersOf } from '../webrtc/ice-servers.ts';
import type { PeerEndpoint } from '../webrtc/peer.ts';
import { OFFER_BYTES, offerTooLarge } from '../webrtc/rebuild-offer.ts';

const SDP = 'application/sdp';
const FRAGMENT = 'application/trickle-ice-sdpfrag';

/** A session that is negotiated over HTTP: a publisher's session or a viewer. */
export interface NegotiatedSession {
  readonly id: string;
  readonly peer: PeerEndpoint;
  /** Additional headers of the reply to the offer. */
  readonly headers?: Record<string, string>;
  close(why: string): void;
}

/** The addresses of one protocol, and how it opens and finds sessions. */
export interface ResourceRoutes {
  /** Route that offers are posted to. */
  endpoint: string;
  /** Route of one session, with `:id`. */
  session: string;
  config: Config;
  /** Opens the session for an offer posted to the endpoint. */
  open(request: FastifyRequest): NegotiatedSession | Promise<NegotiatedSession>;
  find(id: string): NegotiatedSession | undefined;
}

/** Registers the routes of WHIP or WHEP. A plugin, because it has body parsers of its own. */
export function resourceRoutes(app: FastifyInstance, routes: ResourceRoutes): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser([SDP, FRAGMENT], { parseAs: 'string', bodyLimit: OFFER_BYTES }, (_request, body, done) =>
    done(null, body),
  );
  app.setErrorHandler((error: { code?: string }) => {
    throw error.code === 'FST_ERR_CTP_BODY_TOO_LARGE' ? offerTooLarge() : error;
  });

  app.post(routes.endpoint, { onRequest: only(SDP) }, async (request, reply) => {
    const session = await routes.open(request);
    const answer = await session.peer.answer(String(request.body ?? ''), true).catch((error: unknown) => {
      session.close('offer refused');
      throw error;
    });
    const { announce } = routes.config.webrtc;
    for (const link of iceLinks(iceServersOf(routes.config.webrtc))) void reply.header('link', link);
    const at = `${request.url.split('?')[0]!.replace(/\/$/, '')}/${session.id}`;
    const location = locationOf(request, at, routes.config.server.basePath);
    return reply
      .code(201)
      .headers({ ...session.headers, location, etag: session.peer.etag, 'accept-patch': FRAGMENT })
      .type(SDP)
      .send(reachableFirst(answer, [...announcedAddresses(announce).addresses, request.socket.localAddress ?? '']));
  });

  app.patch<Target>(routes.session, { onRequest: only(FRAGMENT) }, (request, reply) =>
    patch(sessionOf(routes, request), request, reply),
  );

  app.delete<Target>(routes.session, async (request, reply) => {
    sessionOf(routes, request).close('deleted by its client');
    return reply.code(200).send();
  });

  app.options(routes.endpoint, async (_request, reply) => reply.headers({ allow: POST, 'accept-post': SDP }).send());
  app.options(routes.session, async (_request, reply) =>
    reply.headers({ allow: EDIT, 'accept-patch': FRAGMENT }).send(),
  );
}

const POST = 'POST, OPTIONS';
const EDIT = 'PATCH, DELETE, OPTIONS';

interface Target {
  Params: { id: string };
}

/** Adds candidates of the current ICE session; new credentials restart ICE. */
async function patch({ peer }: NegotiatedSession, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  checkTag(request.headers['if-match'], peer.etag);
  const { ufrag, pwd, candidates } = readFragment(String(request.body ?? ''));
  if (ufrag === null || ufrag === peer.remoteUfrag) {
    for (const candidate of candidates) await peer.addCandidate(candidate);
    return reply.code(204).send();
  }
  if (pwd === null) throw new FaceOffError('bad_fragment', 'An ICE restart needs ice-ufrag and ice-pwd.');
  const fragment = await peer.restartIce({ ufrag, pwd }, candidates);
  return reply.code(200).header('etag', peer.etag).type(FRAGMENT).send(fragment);
}

/** Requests may overtake each other; the tag says which ICE session a request is meant for (RFC 9725, 4.3.1). */
function checkTag(given: string | undefined, etag: string): void {
  if (given === undefined)
    throw new FaceOffError('tag_missing', 'Say in If-Match which ICE session is meant: the ETag last received, or *.');
  const tags = given.split(',').map((tag) => tag.trim());
  // The RFC's example has the asterisk in quotes.
  if (tags.includes(etag) || tags.includes('*') || tags.includes('"*"')) return;
  throw new FaceOffError('tag_old', 'The ICE session of that ETag is over; use the ETag last received.');
}

/** Refuses other content types before the body is read. */
const only = (wanted: string) => async (request: FastifyRequest) => {
  const given = request.headers['content-type'];
  if (given?.split(';')[0]?.trim().toLowerCase() === wanted) return;
  throw new FaceOffError('wrong_type', `The body must be ${wanted}, not ${given ?? 'without a content type'}.`);
};

/** Link headers with the STUN and TURN servers (RFC 9725, 4.6). */
function iceLinks(servers: readonly IceServer[]): string[] {
  return servers.flatMap(({ urls, username, credential }) => {
    const user = username === undefined ? '' : `; username="${quoted(username)}"`;
    const secret = credential === undefined ? '' : `; credential="${quoted(credential)}"; credential-type="password"`;
    return urls.map((url) => `<${url}>; rel="ice-server"${user}${secret}`);
  });
}

const quoted = (text: string): string => text.replace(/["\\]/g, '\\$&');

function sessionOf(routes: ResourceRoutes, request: FastifyRequest<Target>): NegotiatedSession {
  const session = routes.find(request.params.id);
  if (session === undefined) throw new FaceOffError('unknown_session', 'There is no such session; it may have ended.');
  return session;
}
