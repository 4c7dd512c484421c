import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { type EchoServer, startEcho } from '../../../support/echo.ts';
import { until } from '../../../support/server.ts';

let server: EchoServer;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server.close();
});

interface Raw {
  socket: Socket;
  /** What came back. */
  said: string;
  isOpen: boolean;
}

async function open(): Promise<Raw> {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  sockets.push(socket);
  const raw = { socket, said: '', isOpen: true };
  socket.on('data', (data) => {
    raw.said += data.toString();
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    raw.isOpen = false;
  });
  await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve));
  return raw;
}

/** Sends a character every 20 ms, until it is told to end or the other side does. */
async function drip({ socket }: Raw, text: string): Promise<void> {
  for (const character of text) {
    if (socket.destroyed || !socket.writable) return;
    socket.write(character);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('a request that comes a byte at a time', () => {
  const body = 'x'.repeat(10_000);
  const headers = (route: string, type: string): string =>
    `${route} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: ${type}\r\ncontent-length: 10000\r\n\r\n`;

  test.each([
    ['an offer', 'POST /whip', 'application/sdp'],
    ['a picture', 'POST /api/faces', 'multipart/form-data; boundary=x'],
    ['settings', 'PATCH /api/streams/studio/settings', 'application/json'],
  ])('is answered 408 and closed: %s', async (_what, route, type) => {
    server = await startEcho({ limits: { requestTimeoutMs: 400 } });
    const raw = await open();
    raw.socket.write(headers(route, type));
    void drip(raw, body);
    await until(() => !raw.isOpen, 'the connection to be closed');
    expect(raw.said).toMatch(/^HTTP\/1\.1 408 /);
    expect(raw.said).toContain('"code":"request_timeout"');
    expect(server.lines.filter(({ level }) => level >= 50)).toEqual([]);
    expect(server.sessions.size).toBe(0);
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  });

  test('is closed before its headers are there', async () => {
    server = await startEcho({ limits: { requestTimeoutMs: 400 } });
    const raw = await open();
    void drip(raw, `GET /healthz HTTP/1.1\r\nx: ${body}`);
    await until(() => !raw.isOpen, 'the connection to be closed');
    expect(raw.said).toMatch(/^HTTP\/1\.1 408 /);
  });

  test('is answered where it comes in time', async () => {
    server = await startEcho();
    const raw = await open();
    await drip(raw, 'GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n');
    await until(() => raw.said.includes('200 OK'), 'the answer');
  });

  test('does not cut WebSockets, however long they are silent', async () => {
    server = await startEcho({ limits: { requestTimeoutMs: 200 } });
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/ws`);
    await new Promise((resolve) => socket.once('open', resolve));
    let closed = false;
    socket.on('close', () => {
      closed = true;
    });
    // Far longer than a request may take.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(closed).toBe(false);
    let heard = '';
    socket.on('message', (data) => {
      heard += String(data);
    });
    socket.send('{"type":"dance"}');
    await until(() => heard.includes('bad_message'), 'an answer');
    socket.terminate();
  });
});

describe('connections from one address', () => {
  test('are closed beyond the limit, and there is room again when others go', async () => {
    server = await startEcho({ limits: { connectionsPerAddress: 3 } });
    const first = [await open(), await open(), await open()];
    const further = await open();
    await until(() => !further.isOpen, 'the fourth to be closed');
    expect(first.every(({ isOpen }) => isOpen)).toBe(true);
    expect(server.lines.filter(({ msg }) => msg.includes('limits.connectionsPerAddress'))).toHaveLength(1);
    first[0]!.socket.destroy();
    await until(async () => (await fetch(`${server.url}/healthz`).catch(() => null))?.status === 200, 'room');
  });

  test('are not counted where the limit is 0', async () => {
    server = await startEcho({ limits: { connectionsPerAddress: 0 } });
    const many = await Promise.all(Array.from({ length: 300 }, open));
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
    expect(many.every(({ isOpen }) => isOpen)).toBe(true);
  });
});

test.each([
  ['another name', 'evil.example', ''],
  ['an address that cannot be decoded', '127.0.0.1', '', '/%ff'],
  ['no token', '127.0.0.1', ''],
  ['another site', '127.0.0.1', 'origin: https://evil.example\r\n'],
  ['an address that is open to all and no socket', '127.0.0.1', '', '/healthz'],
])('an upgrade with %s is refused, and its connection closed', async (_what, host, header, at = '/ws') => {
  server = await startEcho({ server: { token: 'sixteen-characters' } });
  const raw = await open();
  const upgrade = 'upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n';
  const key = 'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n';
  raw.socket.write(`GET ${at} HTTP/1.1\r\nhost: ${host}\r\n${header}${upgrade}${key}\r\n`);
  await until(() => !raw.isOpen, 'the connection to be closed');
  expect(raw.said).toMatch(/^HTTP\/1\.1 4\d\d /);
});

test('an upgrade behind a request that is not answered yet has its connection closed after the answer', async () => {
  server = await startEcho();
  const raw = await open();
  const head = 'HTTP/1.1\r\nhost: 127.0.0.1\r\n';
  const upgrade = 'upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n';
  const key = 'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n';
  raw.socket.write(`GET /healthz ${head}\r\nGET /ws ${head}${upgrade}${key}\r\n`);
  await until(() => !raw.isOpen, 'the connection to be closed');
  expect(raw.said).toMatch(/^HTTP\/1\.1 200 /);
});
