import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EchoServer, startEcho } from '../../../support/echo.ts';
import { until } from '../../../support/server.ts';

const TOKEN = 'a-token-of-enough-characters';
let server: EchoServer;
beforeAll(async () => {
  server = await startEcho({ server: { token: TOKEN } });
});
afterAll(() => server.close());

/** Sends requests for a path, all at once, on a connection of their own. */
function send(path: string, count: number, end = ''): Socket {
  const { hostname, port, host } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  socket.write(`GET ${path} HTTP/1.1\r\nhost: ${host}\r\n\r\n`.repeat(count) + end);
  return socket;
}

const descriptors = (): number => readdirSync('/proc/self/fd').length;

describe('requests that come on one connection before the ones in front are answered', () => {
  test('are all answered, in order', async () => {
    const { host } = new URL(server.url);
    const socket = send('/healthz', 50, `GET /api/nothing HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
    let text = '';
    for await (const data of socket) text += String(data);
    const statuses = [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
    expect(statuses).toEqual([...Array(50).fill('200'), '401']);
  });

  test.runIf(process.platform === 'linux')('hold no files open for answers that nothing takes', async () => {
    const before = descriptors();
    const connections = 10;
    // Far more than fits into the buffers of a connection.
    const sockets = Array.from({ length: connections }, () => send('/livekit-pages.js', 60).pause());
    await delay(2000);
    const grown = descriptors() - before;
    for (const socket of sockets) socket.destroy();
    console.log(`${grown} descriptors for ${connections} connections`);
    // Both ends of each connection are of this process, and one file each is open.
    expect(grown).toBeLessThanOrEqual(3 * connections + 5);
    await until(() => descriptors() <= before + 5, 'the descriptors to be free again');
  });

  test('end the connection where there are too many, and no other one', async () => {
    const socket = send('/healthz', 5000);
    socket.resume();
    await new Promise((resolve) => socket.once('close', resolve));
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  });
});
