/**
 * Plain HTTP on the port of HTTPS: browsers try it where a person types an address without `https://`, and would only
 * say that nothing came. It is answered with a redirect to the same address over HTTPS.
 */

import type { Server } from 'node:https';
import type { Socket } from 'node:net';

/** First byte of every TLS connection: the content type of a handshake record (RFC 8446, 5.1). */
const TLS_HANDSHAKE = 22;
/** How long a connection may take to send its first byte. */
const FIRST_BYTE_MS = 10_000;
const REQUEST = /^[A-Z]+ (\/[\x21-\x7e]*) HTTP\/1\.[01]\r\n/;
const HOST = /\r\nhost: *([\w.:[\]-]+) *\r\n/i;

/** Redirects plain HTTP to HTTPS. Has to be called before other listeners of connections are added. */
export function redirectPlainHttp(server: Server): void {
  const listeners = server.listeners('connection') as ((socket: Socket) => void)[];
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    const endSilent = (): void => void socket.destroy();
    socket.setTimeout(FIRST_BYTE_MS, endSilent);
    socket.once('error', endSilent);
    socket.once('data', (first: Buffer) => {
      socket.setTimeout(0, endSilent);
      socket.off('error', endSilent);
      if (first[0] !== TLS_HANDSHAKE) {
        socket.end(replyTo(first.toString('latin1')));
        return;
      }
      socket.pause();
      socket.unshift(first);
      for (const listener of listeners) listener.call(server, socket);
    });
  });
}

function replyTo(request: string): string {
  const [, path] = REQUEST.exec(request) ?? [];
  const [, host] = HOST.exec(request) ?? [];
  const text = 'This server speaks HTTPS: write https:// before its address.\n';
  const head = (status: string): string =>
    `HTTP/1.1 ${status}\r\ncontent-type: text/plain\r\ncontent-length: ${text.length}\r\nconnection: close\r\n`;
  if (path === undefined || host === undefined) return `${head('400 Bad Request')}\r\n${text}`;
  return `${head('307 Temporary Redirect')}location: https://${host}${path}\r\n\r\n${text}`;
}
