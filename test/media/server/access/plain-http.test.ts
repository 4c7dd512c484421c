/** Plain HTTP on the port of HTTPS: a redirect, or a sentence. */

import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, get } from 'node:https';
import { connect } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defaultConfig } from '../../../../src/config.ts';
import { certificateOf } from '../../../../src/server/access/certificate.ts';
import { type EchoServer, startEcho } from '../../../support/echo.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-plain-'));
let server: EchoServer;
let port: number;
beforeAll(async () => {
  const config = defaultConfig();
  const certificate = await certificateOf({
    ...config,
    storage: { dir: folder },
    server: { ...config.server, host: '0.0.0.0' },
  });
  server = await startEcho({}, certificate);
  port = Number(new URL(server.url).port);
});
afterAll(async () => {
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** All that the server sends to these bytes until it closes. */
const replyTo = (bytes: string): Promise<string> =>
  new Promise((resolve, reject) => {
    let said = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'));
    socket.on('data', (data) => {
      said += data.toString();
    });
    socket.once('error', reject);
    socket.once('close', () => resolve(said));
  });

test('a page that is asked for without TLS is at the same address over HTTPS', async () => {
  const answer = await fetch(`http://127.0.0.1:${port}/call/team?token=x`, { redirect: 'manual' });
  const location = `https://127.0.0.1:${port}/call/team?token=x`;
  expect([answer.status, answer.headers.get('location')]).toEqual([307, location]);
});

test.each([
  ['no request', 'hello\r\n\r\n'],
  ['no host', 'GET / HTTP/1.0\r\n\r\n'],
  ['a host that would end the header', 'GET / HTTP/1.1\r\nHost: a b\r\n\r\n'],
  ['a path that is none', 'GET http://elsewhere/ HTTP/1.1\r\nHost: a\r\n\r\n'],
])('%s is told to speak HTTPS', async (_what, bytes) => {
  const said = await replyTo(bytes);
  expect(said).toMatch(/^HTTP\/1\.1 400 /);
  expect(said).toContain('write https:// before its address');
  expect(said).not.toContain('location:');
});

test('HTTPS is served as before, many requests on a connection', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
  const statusOf = (): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      get({ port, host: '127.0.0.1', path: '/healthz', agent }, (answer) => {
        answer.resume();
        answer.once('end', () => resolve(answer.statusCode));
      }).once('error', reject);
    });
  expect([await statusOf(), await statusOf(), await statusOf()]).toEqual([200, 200, 200]);
  agent.destroy();
});
