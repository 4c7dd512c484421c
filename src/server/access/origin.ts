/**
 * Which web pages may use the server: its own pages, and those of allowed origins. The Origin header reveals a page
 * of another site; the Host header reveals a page whose name was pointed at this machine after it was loaded (DNS
 * rebinding).
 */

import { isIP } from 'node:net';
import type { Config } from '../../config.ts';
import { hostName, isLocal, isNamed } from '../../lib/address.ts';
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
  if (origin !== undefined && !isOwn(origin, host, server) && !allowed.includes(origin))
    throw new FaceOffError(
      'foreign_origin',
      'A page of another site may not use this server. server.origins names those that may publish and watch; the name by which a proxy is reached belongs into server.names, with its port unless that is 80 or 443.',
    );
  // Browsers always send Host; a request without it does not come from a page.
  if (host === undefined) return;
  const name = hostName(host);
  if (!isLocal(server.host) || isIP(name) !== 0 || isLocal(name) || isNamed(name, server.names)) return;
  throw new FaceOffError(
    'foreign_host',
    'This server is not known by that name. A name it is reached by through a proxy belongs into server.names.',
  );
}

/**
 * Whether an origin is that of the server's own pages: the one that the request is for, which a proxy may name with the
 * port of its scheme; or, as proxies may ask by the server's address or leave the port out, one of `server.names` with the port
 * that is named there.
 */
function isOwn(origin: string, host: string | undefined, { names }: Pick<Config['server'], 'names'>): boolean {
  if (host === undefined || !/^https?:/.test(origin) || !URL.canParse(origin)) return false;
  const page = new URL(origin);
  const asked = `${page.protocol}//${host}`;
  if (/^[\w.:[\]-]+$/.test(host) && URL.canParse(asked) && new URL(asked).host === page.host) return true;
  return names.some((name) => portOf(name) === page.port && isNamed(page.hostname, [name]));
}

/** The port that a name of `server.names` has; empty without one. */
const portOf = (name: string): string => /:(\d+)\/?$/.exec(name)?.[1] ?? '';
