/** Errors in the form in which callers see them: the body of an HTTP reply or a WebSocket message, and its status. */

import { FaceOffError } from '../shared/errors.ts';
import type { ErrorBody } from '../shared/messages.ts';

/** How long a rejected caller should wait before the next attempt when no better estimate exists, in milliseconds. */
export const RETRY_AFTER_MS = 5000;

/**
 * The HTTP status and the public body of any thrown value. A `FaceOffError`, and an error of another library with a
 * `statusCode` from 400 to 499, keep their code and message; every other error is a defect of the server and becomes
 * `internal` (500) without details.
 */
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
