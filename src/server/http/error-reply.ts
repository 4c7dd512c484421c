/** Errors as HTTP answers. */

import type { FastifyReply } from 'fastify';
import { FaceOffError } from '../../shared/errors.ts';
import type { ErrorBody } from '../../shared/messages.ts';

/** What someone who is turned away should wait, unless more is known. */
export const RETRY_AFTER_MS = 5000;

/** What a caller may know of an error: a defect of ours shows no inside. */
export function errorBody(error: unknown): { status: number; body: ErrorBody } {
  if (error instanceof FaceOffError) {
    const { code, message, details, status } = error;
    return { status, body: details === undefined ? { code, message } : { code, message, details } };
  }
  const { statusCode, code, message } = error as { statusCode?: number; code?: string; message?: string };
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return {
      status: statusCode,
      body: { code: (code ?? 'bad_request').toLowerCase(), message: message ?? 'Bad request.' },
    };
  }
  return { status: 500, body: { code: 'internal', message: 'Something went wrong here. The log file says more.' } };
}

export function sendError(reply: FastifyReply, error: unknown): FastifyReply {
  const { status, body } = errorBody(error);
  const details = body.details as { retryAfterMs?: number } | undefined;
  if (details?.retryAfterMs !== undefined) void reply.header('retry-after', Math.ceil(details.retryAfterMs / 1000));
  return reply.code(status).type('application/json').send(body);
}
