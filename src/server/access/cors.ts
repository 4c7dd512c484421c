/** CORS for the pages of other origins that may publish and watch: those that `server.origins` names. */

import cors from '@fastify/cors';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Config, EXTENSION } from '../../config.ts';

/** Response headers with which WHIP and WHEP answer. */
const EXPOSED = ['Location', 'ETag', 'Link', 'Accept-Patch', 'Retry-After', 'WWW-Authenticate', 'AI-Disclosure'];
const HOUR_S = 3600;
/** What the hotkeys of the extension ask for: single steps of a session or a stream. */
const HOTKEYS = /^\/api\/(sessions|streams)\/[^/]+\/(toggle|face)\/\w+$/;

/**
 * The other origins that may make this request: `server.origins` for WHIP and WHEP, the extension among them for what its
 * hotkeys do, and none for everything else.
 */
export function allowedOrigins({ url }: Pick<FastifyRequest, 'url'>, origins: readonly string[]): readonly string[] {
  if (/^\/(whip|whep)([/?]|$)/.test(url)) return origins;
  return HOTKEYS.test(url) ? origins.filter((origin) => origin === EXTENSION) : [];
}

/**
 * Adds CORS headers to the replies that allowed origins may read, refusals included; has to be registered before
 * all hooks that refuse. Never allows cookies: pages of other origins send the token.
 */
export async function allowOrigins(app: FastifyInstance, server: Pick<Config['server'], 'origins'>): Promise<void> {
  await app.register(cors, {
    delegator: (request, done) => {
      const { origin = '' } = request.headers;
      done(null, {
        origin: allowedOrigins(request, server.origins).includes(origin) ? origin : false,
        exposedHeaders: EXPOSED,
        methods: ['POST', 'PATCH', 'DELETE', 'OPTIONS'],
        allowedHeaders: ['Authorization', 'Content-Type', 'If-Match'],
        maxAge: HOUR_S,
        // OPTIONS has a reply of its own here, with or without a preflight's headers.
        strictPreflight: false,
        preflightContinue: true,
      });
    },
  });
}
