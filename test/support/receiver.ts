/** A receiver of webhooks that verifies signatures by itself, and whatever it is told to answer. */

import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ServerEvent } from '../../src/server/hooks/event-schemas.ts';

/** 32 bytes that the tests sign with. */
export const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

export interface Received {
  event: ServerEvent;
  body: string;
  headers: IncomingHttpHeaders;
  /** Whether signature and time are right. */
  isSigned: boolean;
}

export class Receiver {
  /** Every request so far, refused ones included. */
  readonly received: Received[] = [];
  /** The status of the next answers; null never answers. */
  status: number | null = 204;
  answerHeaders: Record<string, string> = {};
  #server: Server | null = null;
  port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.port}/hook`;
  }

  /** Types of the events that came, in order. */
  get types(): string[] {
    return this.received.map(({ event }) => event.type);
  }

  /** Listens, on the same port again after `stop`. */
  async start(): Promise<this> {
    const server = createServer(async (request, response) => {
      const body = Buffer.concat(await request.toArray()).toString();
      const { headers } = request;
      this.received.push({ event: JSON.parse(body), body, headers, isSigned: isSigned(headers, body) });
      if (this.status !== null) response.writeHead(this.status, this.answerHeaders).end();
    });
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
    return this;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }
}

function isSigned(headers: IncomingHttpHeaders, body: string): boolean {
  const { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': given } = headers;
  const key = Buffer.from(SECRET.slice('whsec_'.length), 'base64');
  const wanted = createHmac('sha256', key).update(`${id}.${time}.${body}`).digest('base64');
  return given === `v1,${wanted}` && Math.abs(Date.now() / 1000 - Number(time)) < 60;
}
