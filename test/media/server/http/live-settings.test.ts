/** Live settings take effect in a server that runs: what uses them reads them when they are needed. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Config } from '../../../../src/config.ts';
import { RecordingsFolder } from '../../../../src/server/recording/recordings-folder.ts';
import { type EchoServer, startEcho } from '../../../support/echo.ts';
import { Publisher } from '../../../support/publisher.ts';
import { Watcher } from '../../../support/viewer.ts';

const TOKEN = 'a-token-that-nobody-guesses';
const bearer = (token = TOKEN): Record<string, string> => ({ authorization: `Bearer ${token}` });
let server: EchoServer;
let before: Config;
const left: (() => void)[] = [];

beforeAll(async () => {
  server = await startEcho({ server: { token: TOKEN } });
  before = structuredClone(server.config);
});
afterAll(() => server.close());
beforeEach(() => {
  for (const clean of left.splice(0)) clean();
  for (const section of Object.keys(before) as (keyof Config)[])
    Object.assign(server.config[section], structuredClone(before[section]));
});

const codeOf = async (answer: Response): Promise<string> => ((await answer.json()) as { code: string }).code;

async function publish(): Promise<Response> {
  const camera = new Publisher();
  left.push(() => camera.close());
  camera.send(64, 48);
  return camera.whip(server.url, `?stream=s${left.length}`, bearer());
}

test('limits.sessions refuses the next publisher, and those that run stay', async () => {
  expect((await publish()).status).toBe(201);
  server.config.limits.sessions = 1;
  const refused = await publish();
  expect([refused.status, await codeOf(refused)]).toEqual([503, 'server_full']);
  expect(server.sessions.size).toBe(1);
  const { sessions } = (await (await fetch(`${server.url}/readyz`)).json()) as { sessions: { most: number } };
  expect(sessions.most).toBe(1);
});

test('limits.viewers refuses the next viewer', async () => {
  expect((await publish()).status).toBe(201);
  server.config.limits.viewers = 0;
  const viewer = new Watcher();
  left.push(() => viewer.close());
  const refused = await viewer.whep(server.url, 's1', bearer());
  expect(refused.status).toBe(503);
});

test('limits.presets and limits.uploadBytes refuse what is beyond them', async () => {
  const save = () => fetch(`${server.url}/api/presets/Evening`, { method: 'PUT', headers: bearer(), body: '{}' });
  server.config.limits.presets = 0;
  expect(await codeOf(await save())).toBe('too_many_presets');
  server.config.limits.presets = 1;
  expect((await save()).status).toBe(200);

  const upload = async (): Promise<string> => {
    const body = new FormData();
    body.append('consent', 'true');
    body.append('file', new Blob([new Uint8Array(2048)]), 'face.png');
    return codeOf(await fetch(`${server.url}/api/faces`, { method: 'POST', headers: bearer(), body }));
  };
  expect(await upload()).toBe('no_face');
  server.config.limits.uploadBytes = 1024;
  expect(await upload()).toBe('picture_too_large');
});

test('limits.wrongTokens counts from then on', async () => {
  server.config.limits.wrongTokens = 0;
  const ask = (n: number): Promise<Response> => fetch(`${server.url}/api/faces`, { headers: bearer(`wrong-${n}`) });
  for (let n = 0; n < 15; n++) expect((await ask(n)).status).toBe(401);
  server.config.limits.wrongTokens = 2;
  for (let n = 0; n < 2; n++) expect((await ask(n)).status).toBe(401);
  expect((await ask(3)).status).toBe(429);
  server.config.limits.wrongTokens = 0;
  expect((await ask(4)).status).toBe(401);
});

test('limits.connectionsPerAddress closes the next connection', async () => {
  server.config.limits.connectionsPerAddress = 1;
  const { hostname, port } = new URL(server.url);
  const open = (): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect(Number(port), hostname);
      left.push(() => socket.destroy());
      socket.once('close', () => resolve('closed')).on('error', () => undefined);
      socket.once('data', () => resolve('answered'));
      socket.write('GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n');
    });
  // The other tests' connections may still be open.
  const outcomes = [await open(), await open()];
  expect(outcomes[1]).toBe('closed');
});

test('server.origins and server.names are those of now', async () => {
  const origin = 'https://studio.example';
  const preflight = () => fetch(`${server.url}/whip`, { method: 'OPTIONS', headers: { origin } });
  expect((await preflight()).headers.get('access-control-allow-origin')).toBe(null);
  server.config.server.origins = [origin];
  expect((await preflight()).headers.get('access-control-allow-origin')).toBe(origin);
  const page = await fetch(`${server.url}/view/x`, { headers: bearer() });
  expect(page.headers.get('content-security-policy')).toContain(origin);
});

test('webrtc.iceServers are told to the next publisher', async () => {
  server.config.webrtc.iceServers = [{ urls: ['turn:192.0.2.7:3478'], username: 'u', credential: 'c' }];
  expect((await publish()).headers.get('link')).toContain('turn:192.0.2.7:3478');
});

test('memory.rssLimitMb refuses the next publisher', async () => {
  server.config.memory.rssLimitMb = 1;
  const refused = await publish();
  expect([refused.status, await codeOf(refused)]).toEqual([503, 'server_full']);
});

test('recording.maxMb and recording.minFreeMb are those of now', async () => {
  const recording = { ...before.recording, dir: mkdtempSync(path.join(os.tmpdir(), 'faceoff-live-')), minFreeMb: 0 };
  left.push(() => rmSync(recording.dir, { recursive: true }));
  writeFileSync(path.join(recording.dir, 'studio.webm'), new Uint8Array(2 ** 20));
  const folder = new RecordingsFolder(recording);
  await folder.prepare();
  recording.maxMb = 1;
  await expect(folder.checkRoom()).rejects.toMatchObject({ code: 'recordings_full' });
  Object.assign(recording, { maxMb: 2, minFreeMb: 100_000_000 });
  await expect(folder.checkRoom()).rejects.toMatchObject({ code: 'disk_full' });
});
