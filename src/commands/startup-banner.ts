/** The banner on the console: how another machine reaches the server. */

import { renderUnicodeCompact } from 'uqr';
import type { Config } from '../config.ts';
import { addressesOf, isLocal, urlOf } from '../lib/address.ts';

/**
 * The server's addresses, and the first one as a QR code for a phone; null where the server listens on this machine
 * alone. For a terminal, not for logs. The token is left out, as screens are filmed; the page asks for it.
 */
export function welcomeOf({ server }: Pick<Config, 'server'>, port: number): string | null {
  if (isLocal(server.host)) return null;
  const urls = addressesOf(server.host).map((host) => urlOf(host, port, true));
  if (urls[0] === undefined) return null;
  const own =
    server.certificate === null
      ? '\nThe certificate is self-made: the browser warns once, go on from there. The page asks for server.token.\n'
      : '\nThe page asks for server.token.\n';
  return `\n${urls.map((url) => `  ${url}\n`).join('')}\n${renderUnicodeCompact(urls[0], { border: 2 })}\n${own}\n`;
}
