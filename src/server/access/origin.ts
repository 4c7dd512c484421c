/**
 * Which web pages may use this server: its own, and those that are welcome. A page of another site gives itself away by its origin; one whose name
 * was pointed at this machine after it was loaded (DNS rebinding) by the name it asks for.
 */

import { isIP } from 'node:net';
import type { Config } from '../../config.ts';
import { isLocal } from '../../lib/address.ts';
import { FaceOffError } from '../../shared/errors.ts';

/**
 * Browsers say the page's origin with WebSockets and with everything but plain reads; programs without an origin are
 * not pages. The asked-for name is checked only where it can be known: while the server is this machine's alone.
 * @param welcome other origins that may.
 * @throws FaceOffError `foreign_origin` (403), `foreign_host` (421).
 */
export function checkOrigin(
  { origin, host }: { origin?: string | undefined; host?: string | undefined },
  server: Pick<Config['server'], 'host' | 'names'>,
  welcome: readonly string[] = [],
): void {
  if (origin !== undefined && hostOf(origin) !== host && !welcome.includes(origin))
    throw new FaceOffError(
      'foreign_origin',
      'A page of another site may not use this server. server.origins names those that may publish and watch.',
      { status: 403 },
    );
  // Browsers always ask for a name; what does not is no page.
  if (host === undefined) return;
  const name = nameOf(host);
  if (!isLocal(server.host) || isIP(name) !== 0 || isLocal(name) || server.names.includes(name)) return;
  throw new FaceOffError(
    'foreign_host',
    'This server is not known by that name. A name it is reached by through a proxy belongs into server.names.',
    { status: 421 },
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
