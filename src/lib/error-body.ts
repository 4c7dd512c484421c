/** Errors in the form in which callers see them: the body of an HTTP reply or a WebSocket message, and its status. */

import { ERRORS, type ErrorCode, isErrorCode } from '../shared/error-catalogue.ts';
import { FaceOffError } from '../shared/errors.ts';
import type { ErrorBody } from '../shared/messages.ts';

/** How long a rejected caller should wait before the next attempt when no better estimate exists, in milliseconds. */
export const RETRY_AFTER_MS = 5000;

/** The codes for refusals of the HTTP library, by status; for any other status from 400 to 499 it is `bad_request`. */
const LIBRARY_CODES: Record<number, ErrorCode> = {
  404: 'not_found',
  405: 'wrong_method',
  408: 'request_timeout',
  412: 'precondition_failed',
  413: 'body_too_large',
  415: 'wrong_type',
  416: 'bad_range',
  431: 'headers_too_large',
};

/** The code for an error of a library with a status from 400 to 499. */
function codeOf(statusCode: number, code: string): ErrorCode {
  if (isErrorCode(code)) return code;
  return /JSON_BODY$/.test(code) ? 'bad_json' : (LIBRARY_CODES[statusCode] ?? 'bad_request');
}

/**
 * The HTTP status and the public body of any thrown value. A `FaceOffError` keeps code and message, an error of another
 * library with a `statusCode` from 400 to 499 its message, with the catalogue's code; every other error is a defect of
 * the server and becomes `internal` (500) without details.
 */
export function errorBody(error: unknown): { status: number; body: ErrorBody } {
  if (error instanceof FaceOffError) {
    const { code, message, details, status } = error;
    return { status, body: details === undefined ? { code, message } : { code, message, details } };
  }
  const { statusCode, code, message } = error as { statusCode?: number; code?: string; message?: string };
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    const known = codeOf(statusCode, code ?? '');
    return { status: ERRORS[known].status, body: { code: known, message: message ?? 'Bad request.' } };
  }
  return { status: 500, body: { code: 'internal', message: 'Something went wrong here. The log file says more.' } };
}
