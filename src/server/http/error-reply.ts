/** Errors as HTTP replies. */

import type { FastifyReply } from 'fastify';
import { errorBody } from '../../lib/error-body.ts';

/**
 * Sends any thrown value as a JSON error body, with `Retry-After` (seconds, rounded up) where its details name a
 * delay.
 */
export function sendError(reply: FastifyReply, error: unknown): FastifyReply {
  const { status, body } = errorBody(error);
  const details = body.details as { retryAfterMs?: number } | undefined;
  if (details?.retryAfterMs !== undefined) void reply.header('retry-after', Math.ceil(details.retryAfterMs / 1000));
  return reply.code(status).type('application/json').send(body);
}
