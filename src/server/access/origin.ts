/**
 * Which web pages may use the server: its own pages, and those of allowed origins. The Origin header reveals a page
 * of another site; the Host header reveals a page whose name was pointed at this machine after it was loaded (DNS
 * rebinding).
 */

import { isIP } from 'node:net';
import type { Config } from '../../config.ts';
import { isLocal } from '../../lib/address.ts';
import { FaceOffError } from '../../shared/errors.ts';

/**
 * Refuses requests of other sites' pages. Browsers send the page's origin with WebSockets and with all requests but
 * plain reads; a request without an origin comes from a program. The Host header is checked only if the valid names
 * are known, that is while the server listens on the local machine alone.
 * @param allowed other origins that may make this request.
 * @throws FaceOffError `foreign_origin` (403), `foreign_host` (421).
 */
export function checkOrigin(
  { origin, host }: { origin?: string | undefined; host?: string | undefined },
  server: Pick<Config['server'], 'host' | 'names'>,
  allowed: readonly string[] = [],
): void {
  if (origin !== undefined && hostOf(origin) !== host && !allowed.includes(origin))
    throw new FaceOffError(
      'foreign_origin',
      'A page of another site may not use this server. server.origins names those that may publish and watch.',
    );
  // Browsers always send Host; a request without it does not come from a page.
  if (host === undefined) return;
  const name = nameOf(host);
  if (
    !isLocal(server.host) ||
    isIP(name) !== 0 ||
    isLocal(name) ||
    server.names.some((known) => known.toLowerCase() === name)
  )
    return;
  throw new FaceOffError(
    'foreign_host',
    'This server is not known by that name. A name it is reached by through a proxy belongs into server.names.',
  );
}

function hostOf(origin: string): string | null {
  try {
    return new URL(origin).host;
  } catch {
    return null;
  }
}

/** The name or address of a Host header, without port and brackets. */
const nameOf = (host: string): string =>
  host
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase();
