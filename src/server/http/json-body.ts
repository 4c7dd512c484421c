/** JSON bodies of programs that do not say that it is JSON, as curl and the keys of a stream deck do not. */

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { FaceOffError } from '../../shared/errors.ts';

const BODY_LIMIT = 64 * 1024;

/** For a plugin's routes: the body is read as text, whatever it is said to be. */
export function takeAnyBody(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string', bodyLimit: BODY_LIMIT }, (_request, body, done) =>
    done(null, body),
  );
}

/** @throws FaceOffError `bad_json` (400). */
export function jsonOf({ body }: FastifyRequest): unknown {
  try {
    return JSON.parse(String(body ?? ''));
  } catch (cause) {
    throw new FaceOffError('bad_json', 'The body must be JSON, for instance {"strength": 0.5}.', {
      status: 400,
      cause,
    });
  }
}
