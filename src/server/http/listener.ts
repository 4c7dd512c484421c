/** What HTTP is to all servers of this process, before any route. */

import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Config } from '../../config.ts';
import { withoutBase } from '../access/base-path.ts';
import type { Certificate } from '../access/certificate.ts';
import { answerOneAtATime } from '../access/one-at-a-time.ts';
import { redirectPlainHttp } from '../access/plain-http.ts';
import { sendError } from './error-reply.ts';

/** Longest time that the headers of a request may take. */
const HEADERS_MS = 10_000;

/** Answers what cannot be parsed as a request, which never reaches a route. */
function refuseClient({ code }: NodeJS.ErrnoException, socket: Socket): void {
  if (code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, body] =
    code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? [408, { code: 'request_timeout', message: 'The request took too long to come (limits.requestTimeoutMs).' }]
      : code === 'HPE_HEADER_OVERFLOW'
        ? [431, { code: 'headers_too_large', message: 'The headers of the request are too large.' }]
        : [400, { code: 'bad_request', message: 'This is not an HTTP request.' }];
  const text = JSON.stringify(body);
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[Number(status)]}\r\ncontent-type: application/json\r\n`;
  socket.write(`${head}content-length: ${text.length}\r\nconnection: close\r\n\r\n${text}`);
  socket.destroy();
}

/**
 * A server without routes. Slow requests are answered 408 and closed; WebSockets and replies have no time limit.
 * @param https null for HTTP.
 */
export function listener({ limits, server }: Config, https: Certificate | null): FastifyInstance {
  const requestTimeout = limits.requestTimeoutMs;
  const options = {
    logger: false,
    bodyLimit: 1 << 20,
    forceCloseConnections: true,
    requestTimeout,
    clientErrorHandler: refuseClient,
    // An address that cannot be decoded reaches no hook, so nothing else would close the connection of its upgrade.
    frameworkErrors: (error: unknown, { raw }: FastifyRequest, reply: FastifyReply) => {
      if (raw.headers.upgrade !== undefined) reply.raw.once('finish', () => raw.socket.destroy());
      void sendError(reply, error);
    },
    // Publishers write the address of an endpoint with and without a slash at its end.
    // A name that is too long is one that there is not; all headers and the address together have at most 16 kB.
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 16_384 },
    rewriteUrl: ({ url = '/', headers }: IncomingMessage) => withoutBase(url, headers, server.basePath),
  } as const;
  const http = {
    headersTimeout: Math.min(HEADERS_MS, requestTimeout),
    connectionsCheckingInterval: Math.min(1000, requestTimeout / 4),
  };
  // The types of the two listeners differ, but not in anything that routes use.
  const app =
    https === null
      ? fastify({ ...options, http })
      : (fastify({ ...options, https: { ...https, ...http } }) as unknown as FastifyInstance);
  if (https !== null) redirectPlainHttp(app.server as unknown as HttpsServer);
  app.server.on('checkExpectation', (_request, response) => {
    const message = 'No other Expect is understood than 100-continue.';
    response.writeHead(417, { 'content-type': 'application/json', connection: 'close' });
    response.end(JSON.stringify({ code: 'bad_expectation', message }));
  });
  closePipelinedUpgrades(app.server);
  answerOneAtATime(app);
  return app;
}

/** Closes connections on which an upgrade follows a request that is not answered yet: the plugin for WebSockets leaves them open. */
function closePipelinedUpgrades(server: FastifyInstance['server']): void {
  const unanswered = new WeakMap<Duplex, ServerResponse>();
  server.on('request', ({ socket }, response) => {
    unanswered.set(socket, response);
    response.once('close', () => {
      if (unanswered.get(socket) === response) unanswered.delete(socket);
    });
  });
  server.on('upgrade', (_request, socket) => {
    unanswered.get(socket)?.once('close', () => socket.destroy());
  });
}
