/** Lets pages of other origins publish and watch, where `server.origins` names them (CORS). */

import type { FastifyReply, FastifyRequest } from 'fastify';

/** What WHIP and WHEP tell in headers. */
const TOLD = 'Location, ETag, Link, Accept-Patch, Retry-After, WWW-Authenticate, AI-Disclosure';
const HOUR_S = 3600;

/** The origins that may make this request besides the server's own. Cookies never come with it: pages send the token. */
export function welcomeOrigins({ url }: FastifyRequest, origins: readonly string[]): readonly string[] {
  return /^\/(whip|whep)([/?]|$)/.test(url) ? origins : [];
}

/** Answers a page of another origin so that its browser lets it see the answer. */
export function shareWith(request: FastifyRequest, reply: FastifyReply, welcome: readonly string[]): void {
  const { origin } = request.headers;
  if (welcome.length > 0) void reply.header('vary', 'Origin');
  if (origin === undefined || !welcome.includes(origin)) return;
  void reply.headers({ 'access-control-allow-origin': origin, 'access-control-expose-headers': TOLD });
  if (request.method !== 'OPTIONS') return;
  void reply.headers({
    'access-control-allow-methods': 'POST, PATCH, DELETE, OPTIONS',
    'access-control-allow-headers': 'Authorization, Content-Type, If-Match',
    'access-control-max-age': HOUR_S,
  });
}
