/** Metrics on a port of their own: what is served there, to callers without a token, and what is not. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { Publisher } from '../../../support/publisher.ts';
import { startProgram, startServer, type TestServer, until } from '../../../support/server.ts';
import { Watcher } from '../../../support/viewer.ts';

const TOKEN = 'a-token-that-nobody-guesses';
const HEADERS = { authorization: `Bearer ${TOKEN}` };
const STREAM = 'stream-with-a-name';

let server: TestServer;
let at: string;
beforeAll(async () => {
  server = await startServer({ server: { token: TOKEN }, metrics: { port: 0 } });
  at = `http://127.0.0.1:${(server.metricsApp!.server.address() as AddressInfo).port}`;
});
afterAll(() => server.stop());

test('are read without a token, and nothing else is', async () => {
  const answer = await fetch(`${at}/metrics`);
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toContain('text/plain; version=0.0.4');
  expect(await answer.text()).toContain('faceoff_sessions 0');
  for (const path of ['/', '/api/sessions', '/view/studio', '/ws', '/whip'])
    expect([path, (await fetch(at + path, { headers: HEADERS })).status]).toEqual([path, 404]);
  expect((await fetch(`${at}/metrics`, { method: 'POST' })).status).toBe(404);
});

test('are not read by pages of other sites, nor under another name', async () => {
  expect((await fetch(`${at}/metrics`, { headers: { origin: 'https://other.example' } })).status).toBe(403);
  const refused = await server.metricsApp!.inject({ url: '/metrics', headers: { host: 'other.example' } });
  expect([refused.statusCode, refused.json<{ code: string }>().code]).toEqual([421, 'foreign_host']);
});

test('are then no longer on the port of the pages', async () => {
  expect((await fetch(`${server.url}/metrics`, { headers: HEADERS })).status).toBe(404);
});

test('hold no stream’s name, no session’s id, no face’s name and no address of a client', async () => {
  const publisher = new Publisher();
  const watcher = new Watcher();
  try {
    publisher.send(320, 240);
    expect((await publisher.whip(server.url, `?stream=${STREAM}&face=astronaut`, HEADERS)).status).toBe(201);
    await until(() => publisher.received.length > 5, 'pictures');
    expect((await watcher.whep(server.url, STREAM, HEADERS)).status).toBe(201);
    await until(() => watcher.received > 5, 'pictures of the viewer');
    await fetch(`${server.url}/whep/${STREAM}-of-no-one`, { method: 'POST', headers: HEADERS });
    const text = await (await fetch(`${at}/metrics`)).text();
    expect(text).toContain('faceoff_sessions 1\n');
    expect(text).toContain('faceoff_viewers 1\n');
    expect(text).toContain('faceoff_plan{plan="full"} 1');
    expect(text).not.toMatch(new RegExp(`${STREAM}|astronaut|${TOKEN}`));
    for (const { location } of [publisher, watcher]) expect(text).not.toContain(location.split('/').at(-1)!);
    // Versions of Node are the only thing with dots.
    expect(text.replace(/^nodejs_version_info.*$/m, '')).not.toMatch(/"[^"]*(\d+\.){3}\d+[^"]*"|::/);
  } finally {
    watcher.close();
    publisher.close();
  }
});

test('count refusals by their code, also those of the library', async () => {
  const count = async (code: string): Promise<number> => {
    const text = await (await fetch(`${at}/metrics`)).text();
    return Number(text.match(new RegExp(`^faceoff_errors_total{code="${code}"} (\\d+)$`, 'm'))?.[1] ?? 0);
  };
  const codes = ['unknown_face', 'not_found', 'body_too_large', 'bad_message'];
  const before = await Promise.all(codes.map(count));
  await fetch(`${server.url}/api/faces/none`, { method: 'DELETE', headers: HEADERS });
  await fetch(`${server.url}/none`, { headers: HEADERS });
  const body = { method: 'PUT', body: 'x'.repeat(2 << 20), headers: HEADERS };
  expect((await fetch(`${server.url}/api/presets/Big`, body)).status).toBe(413);
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/ws`, { headers: HEADERS });
  await new Promise((resolve) => socket.once('open', resolve));
  socket.send('{"type":"nonsense"}');
  await until(async () => (await count('bad_message')) > before[3]!, 'the message to be refused');
  socket.close();
  const after = await Promise.all(codes.map(count));
  expect(after.map((n, i) => n - before[i]!)).toEqual([1, 1, 1, 1]);
  expect(await count('internal')).toBe(0);
});

test('a port that is taken ends the start with a sentence', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => other.once('listening', resolve));
  const { port } = other.address() as AddressInfo;
  try {
    const sentence = `cannot listen on 127.0.0.1:${port}: port ${port} is taken by another program; choose another with metrics.port`;
    await expect(startProgram(['--set', `metrics.port=${port}`, '--set', 'swap.engine=none'])).rejects.toThrow(
      sentence,
    );
  } finally {
    other.close();
  }
});
