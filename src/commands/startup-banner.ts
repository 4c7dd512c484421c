/** What the person at the console needs to reach the server from another machine. */

import { renderUnicodeCompact } from 'uqr';
import type { Config } from '../config.ts';
import { addressesOf, isLocal } from '../lib/address.ts';

/** `http://host:port`, of the first address that can be reached. */
export function urlOf(host: string, port: number, secure: boolean): string {
  return `${secure ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/**
 * Addresses, and the first one as a QR code for a phone; null where the server is this machine's alone. For the screen,
 * not for logs. The token is not in it: screens are filmed, and whoever opens the page is asked for it.
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
