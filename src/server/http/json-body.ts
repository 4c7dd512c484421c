/** JSON bodies of programs that do not declare their content type, such as curl and the keys of a stream deck. */

import type { FastifyInstance } from 'fastify';
import { FaceOffError } from '../../shared/errors.ts';

const BODY_LIMIT = 64 * 1024;

/** Makes a plugin's routes read every body as text of at most 64 kB, whatever its content type. */
export function acceptAnyBody(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string', bodyLimit: BODY_LIMIT }, (_request, body, done) =>
    done(null, body),
  );
}

/** Parses the body of a route under `acceptAnyBody`. @throws FaceOffError `bad_json` (400). */
export function jsonOf({ body }: { body: unknown }): unknown {
  try {
    return JSON.parse(String(body ?? ''));
  } catch (cause) {
    throw new FaceOffError('bad_json', 'The body must be JSON, for instance {"strength": 0.5}.', {
      cause,
    });
  }
}
