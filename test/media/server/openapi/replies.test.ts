/** Every operation of the document, asked of a real server: its replies are those that the document tells of. */

import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { iceFragmentOf } from '../../../../src/server/webrtc/ice-fragment.ts';
import { Conformity } from '../../../support/conformity.ts';
import { cutFrame, group, modelsDir } from '../../../support/lane.ts';
import { Publisher } from '../../../support/publisher.ts';
import { startServer, type TestServer, until } from '../../../support/server.ts';
import { Watcher } from '../../../support/viewer.ts';

const SDP = 'application/sdp';
const FRAGMENT = 'application/trickle-ice-sdpfrag';
const token = 'a-token-of-this-test';
const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0;

let livekit: Server;
let server: TestServer;
let api: Conformity;
let camera: Publisher;
/** Id of the camera's session. */
let session: string;

beforeAll(async () => {
  // A machine that was not measured has room for as many as it has places: how busy it is does not matter.
  // A LiveKit in which there is nothing.
  livekit = createServer((_request, response) => response.end('{}'));
  await new Promise<void>((resolve) => livekit.listen(0, '127.0.0.1', resolve));
  const url = `ws://127.0.0.1:${(livekit.address() as AddressInfo).port}`;
  server = await startServer({
    server: { token },
    swap: { face: 'astronaut' },
    models: { warmupRuns: 0 },
    livekit: { url, key: 'key', secret: 'secret' },
  });
  api = await Conformity.of(server.url, token);
  camera = new Publisher();
  camera.send(320, 240);
  const headers = { 'content-type': SDP };
  const answer = await api.ask('POST', '/whip', {}, { headers, body: await camera.offer() });
  await camera.connection.setRemoteDescription({ type: 'answer', sdp: answer.text });
  session = answer.headers.get('location')!.split('/').at(-1)!;
  await until(() => camera.received.length > 0, 'a picture');
}, 120_000);
afterAll(async () => {
  camera?.close();
  await server?.stop();
  livekit?.close();
});

/** Asks for an operation and expects this status. */
async function expectStatus(status: number, ...request: Parameters<Conformity['ask']>) {
  const answer = await api.ask(...request);
  expect(
    `${request[0]} ${request[1]} ${answer.status} ${status < 400 && answer.status >= 400 ? answer.text : ''}`,
  ).toBe(`${request[0]} ${request[1]} ${status} `);
  return answer;
}

const json = (body: unknown): RequestInit => ({
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

test.each(['session', 'stream'])('live control of a %s', async (kind) => {
  // The session's id is also the name of its stream, which was given none.
  const at = { session, stream: session, preset: 'Evening' };
  const of = `/api/${kind}s/{${kind}}`;
  await expectStatus(200, 'PUT', '/api/presets/{preset}', at, json({ face: 'astronaut', strength: 0.8 }));
  await expectStatus(200, 'GET', '/api/presets');
  await expectStatus(200, 'GET', `${of}/settings`, at);
  await expectStatus(200, 'PATCH', `${of}/settings`, at, json({ strength: 0.5, map: { 1: null } }));
  await expectStatus(400, 'PATCH', `${of}/settings`, at, json({ strenght: 1 }));
  await expectStatus(404, 'PATCH', `${of}/settings`, at, json({ face: 'none' }));
  await expectStatus(422, 'PATCH', `${of}/settings`, at, json({ badge: false }));
  await expectStatus(200, 'PATCH', `${of}/settings`, at, json({ badge: false, disclosureAcknowledged: true }));
  await expectStatus(200, 'GET', '/api/sessions');
  for (const change of [
    'face/next',
    'face/previous',
    'toggle',
    'toggle/on',
    'toggle/offAir',
    'toggle/offAir',
    'toggle/keepEyes',
    'toggle/keepMouth',
  ])
    await expectStatus(200, 'POST', `${of}/${change}`, at);
  await expectStatus(200, 'POST', `${of}/preset/{preset}`, at);
  await expectStatus(404, 'POST', `${of}/preset/{preset}`, { ...at, preset: 'none' });
  await expectStatus(404, 'GET', `${of}/settings`, { session: 'none', stream: 'none' });
  await expectStatus(204, 'DELETE', '/api/presets/{preset}', at);
  await expectStatus(404, 'DELETE', '/api/presets/{preset}', at);
});

test('a cluster', async () => {
  const at = { stream: 'show', publisher: 'ann' };
  const of = '/api/cluster/streams/{stream}';
  await expectStatus(201, 'POST', `${of}/publishers`, at, json({ face: 'astronaut' }));
  await expectStatus(400, 'POST', `${of}/publishers`, at, json({ strenght: 1 }));
  await expectStatus(422, 'POST', `${of}/publishers`, at, json({ badge: false }));
  await expectStatus(400, 'POST', `${of}/publishers`, { stream: 'a.in.b' }, json({}));
  await expectStatus(201, 'POST', `${of}/viewers`, at);
  await expectStatus(400, 'POST', `${of}/viewers`, { stream: 'a.in.b' });
  await expectStatus(200, 'POST', `${of}/publishers/{publisher}/dispatch`, at);
  await expectStatus(400, 'POST', `${of}/publishers/{publisher}/dispatch`, { ...at, publisher: 'faceoff-ann-J' });
});

test('backgrounds', async () => {
  const file = new Blob([await readFile(path.join(modelsDir, 'portraits/astronaut.webp'))]);
  const form = (of: Blob): RequestInit => {
    const body = new FormData();
    body.append('file', of);
    return { body };
  };
  const added = await expectStatus(201, 'POST', '/api/backgrounds', {}, form(file));
  const background = (JSON.parse(added.text) as { id: string }).id;
  await expectStatus(415, 'POST', '/api/backgrounds', {}, form(new Blob(['hello'])));
  await expectStatus(200, 'GET', '/api/backgrounds');
  await expectStatus(200, 'GET', '/api/backgrounds/{background}/thumbnail', { background });
  await expectStatus(404, 'GET', '/api/backgrounds/{background}/thumbnail', { background: 'none' });
  const change = json({ background: 'picture', backgroundPicture: background, backgroundColour: '#123456' });
  await expectStatus(200, 'PATCH', '/api/sessions/{session}/settings', { session }, change);
  await expectStatus(
    404,
    'PATCH',
    '/api/sessions/{session}/settings',
    { session },
    json({ backgroundPicture: 'none' }),
  );
  await expectStatus(204, 'DELETE', '/api/backgrounds/{background}', { background });
  await expectStatus(404, 'DELETE', '/api/backgrounds/{background}', { background });
  const { text } = await expectStatus(200, 'GET', '/api/sessions/{session}/settings', { session });
  expect(JSON.parse(text)).toMatchObject({ background: 'picture', backgroundPicture: null });
  await expectStatus(200, 'PATCH', '/api/sessions/{session}/settings', { session }, json({ background: 'none' }));
});

test('faces', async () => {
  const file = new Blob([await readFile(path.join(modelsDir, 'portraits/astronaut.webp'))]);
  const form = (fields: Record<string, string | Blob>): RequestInit => {
    const body = new FormData();
    for (const [name, value] of Object.entries(fields)) body.append(name, value);
    return { body };
  };
  const good = { consent: 'true', name: 'A', file };
  await expectStatus(200, 'GET', '/api/faces');
  await expectStatus(200, 'POST', '/api/faces/preview', {}, form(good));
  const added = await expectStatus(201, 'POST', '/api/faces', {}, form(good));
  const face = (JSON.parse(added.text) as { id: string }).id;
  await expectStatus(200, 'GET', '/api/faces');
  await expectStatus(200, 'GET', '/api/faces/{face}/thumbnail', { face });
  await expectStatus(200, 'GET', '/api/faces/{face}', { face });
  await expectStatus(404, 'GET', '/api/faces/{face}', { face: 'none' });
  await expectStatus(200, 'GET', '/api/faces/{face}/photos/{photo}', { face, photo: '0' });
  await expectStatus(404, 'GET', '/api/faces/{face}/photos/{photo}', { face, photo: '7' });
  await expectStatus(422, 'GET', '/api/faces/{face}/photos/{photo}', { face, photo: 'x' });
  await expectStatus(404, 'GET', '/api/face-pack?face=astronaut');
  await expectStatus(200, 'GET', '/api/face-pack');
  const pack = { file: new Blob([await bytesOf('/api/face-pack')]), consent: 'true' };
  const imported = await expectStatus(200, 'POST', '/api/face-pack', {}, form(pack));
  expect(JSON.parse(imported.text)).toMatchObject({ added: [{ name: 'A', photos: 1 }], refused: [] });
  await expectStatus(422, 'POST', '/api/face-pack', {}, form({ file: pack.file }));
  await expectStatus(422, 'POST', '/api/face-pack', {}, form({ file, consent: 'true' }));
  const consent = '/api/faces/{face}/consent';
  await expectStatus(200, 'GET', consent, { face });
  await expectStatus(200, 'POST', consent, { face }, json({ consent: true, confirmedBy: 'Ada' }));
  await expectStatus(422, 'POST', consent, { face }, json({}));
  await expectStatus(422, 'POST', consent, { face }, json({ consent: true, confirmedBy: 1 }));
  await expectStatus(400, 'POST', consent, { face }, { body: '{' });
  await expectStatus(403, 'GET', consent, { face: 'astronaut' });
  await expectStatus(403, 'DELETE', consent, { face: 'astronaut' });
  const another = await expectStatus(201, 'POST', '/api/faces', {}, form(good));
  await expectStatus(204, 'DELETE', consent, { face: (JSON.parse(another.text) as { id: string }).id });
  await expectStatus(204, 'DELETE', '/api/faces/{face}', { face });
  await expectStatus(404, 'DELETE', '/api/faces/{face}', { face });
  await expectStatus(403, 'DELETE', '/api/faces/{face}', { face: 'astronaut' });
  await expectStatus(422, 'POST', '/api/faces', {}, form({ file }));
  await expectStatus(422, 'POST', '/api/faces', {}, form({ ...good, pick: 'x' }));
  await expectStatus(415, 'POST', '/api/faces', {}, json({}));
  const one = await sharp(path.join(modelsDir, 'portraits/astronaut.webp')).resize(400).toBuffer();
  const { height = 400 } = await sharp(one).metadata();
  const two = await sharp({ create: { width: 800, height, channels: 3, background: '#777' } })
    .composite([
      { input: one, left: 0, top: 0 },
      { input: one, left: 400, top: 0 },
    ])
    .png()
    .toBuffer();
  const several = await expectStatus(
    409,
    'POST',
    '/api/faces',
    {},
    form({ ...good, file: new Blob([new Uint8Array(two)]) }),
  );
  expect(JSON.parse(several.text)).toMatchObject({ code: 'several_faces', details: { faces: [{}, {}] } });
  const other = { file: new Blob([await readFile(group)]), pick: '0' };
  const entry = await expectStatus(201, 'POST', '/api/blocked-faces', {}, form({ ...other, note: 'asked' }));
  const blocked = (JSON.parse(entry.text) as { id: string }).id;
  await expectStatus(200, 'GET', '/api/blocked-faces');
  await expectStatus(403, 'POST', '/api/faces', {}, form({ ...good, ...other }));
  await expectStatus(403, 'POST', '/api/faces/preview', {}, form({ ...good, ...other }));
  await expectStatus(204, 'DELETE', '/api/blocked-faces/{blocked}', { blocked });
  await expectStatus(404, 'DELETE', '/api/blocked-faces/{blocked}', { blocked });
}, 240_000);

/** The body of a reply that is asked for outside of the document's checks. */
const bytesOf = async (at: string): Promise<Uint8Array<ArrayBuffer>> => {
  const answer = await fetch(server.url + at, { headers: { authorization: `Bearer ${token}` } });
  return new Uint8Array(await answer.arrayBuffer());
};

test('a face that is tried on', async () => {
  const size = { width: 320, height: 240 };
  const part = { left: 1400, top: 130, width: 460, height: 345 };
  camera.play(size, [(await cutFrame(group, part, size.width, size.height)).data], 10);
  await expectStatus(200, 'POST', '/api/sessions/{session}/preview?face=astronaut', { session });
  await expectStatus(404, 'POST', '/api/sessions/{session}/preview?face=none', { session });
  camera.send(size.width, size.height);
});

test.runIf(hasFfmpeg)('recordings', async () => {
  const at = { session };
  const of = '/api/sessions/{session}/recording';
  await expectStatus(404, 'GET', of, at);
  await expectStatus(201, 'POST', of, at);
  await expectStatus(409, 'POST', of, at);
  await expectStatus(200, 'GET', of, at);
  await expectStatus(200, 'GET', '/api/sessions');
  const frames = async (): Promise<number> => JSON.parse((await api.ask('GET', of, at)).text).frames as number;
  await until(async () => (await frames()) > 5, 'a few frames');
  const stopped = await expectStatus(200, 'DELETE', of, at);
  const file = (JSON.parse(stopped.text) as { files: string[] }).files[0]!;
  await expectStatus(200, 'GET', '/api/recordings');
  await expectStatus(200, 'GET', '/api/recordings/{file}', { file });
  await expectStatus(206, 'GET', '/api/recordings/{file}', { file }, { headers: { range: 'bytes=0-9' } });
  await expectStatus(416, 'GET', '/api/recordings/{file}', { file }, { headers: { range: 'bytes=999999999-' } });
  await expectStatus(412, 'GET', '/api/recordings/{file}', { file }, { headers: { 'if-match': '"x"' } });
  await expectStatus(
    304,
    'GET',
    '/api/recordings/{file}',
    { file },
    {
      headers: { 'if-modified-since': new Date(Date.now() + 60_000).toUTCString(), 'cache-control': 'max-age=0' },
    },
  );
  await expectStatus(204, 'DELETE', '/api/recordings/{file}', { file });
  await expectStatus(404, 'DELETE', '/api/recordings/{file}', { file });
  await expectStatus(400, 'POST', `${of}?format=avi`, at);
});

test('WHIP and WHEP', async () => {
  const watcher = new Watcher();
  const offer = { headers: { 'content-type': SDP }, body: await watcher.offer() };
  await expectStatus(409, 'POST', '/whep/{stream}', { stream: 'none' }, offer);
  const answer = await expectStatus(201, 'POST', '/whep/{stream}', { stream: session }, offer);
  await watcher.connection.setRemoteDescription({ type: 'answer', sdp: answer.text });
  const at = { stream: session, viewer: answer.headers.get('location')!.split('/').at(-1)! };
  const fragment = (body: string, tag = answer.headers.get('etag')!): RequestInit => ({
    headers: { 'content-type': FRAGMENT, 'if-match': tag },
    body,
  });
  const one = '/whep/{stream}/{viewer}';
  await expectStatus(204, 'PATCH', one, at, fragment('a=end-of-candidates\r\n'));
  await expectStatus(400, 'PATCH', one, at, fragment('x'));
  await expectStatus(412, 'PATCH', one, at, fragment('a=end-of-candidates\r\n', '"old"'));
  await expectStatus(428, 'PATCH', one, at, { headers: { 'content-type': FRAGMENT }, body: 'a=mid:0' });
  const restarted = iceFragmentOf(await watcher.offer(true));
  await expectStatus(200, 'PATCH', one, at, fragment(restarted));
  await expectStatus(200, 'OPTIONS', '/whep/{stream}', at);
  await expectStatus(200, 'OPTIONS', one, at);
  await expectStatus(200, 'DELETE', one, at);
  await expectStatus(404, 'DELETE', one, at);
  watcher.close();
  const of = { session };
  await expectStatus(200, 'OPTIONS', '/whip');
  await expectStatus(200, 'OPTIONS', '/whip/{session}', of);
  await expectStatus(204, 'PATCH', '/whip/{session}', of, fragment('a=end-of-candidates\r\n', '*'));
  await expectStatus(415, 'POST', '/whip', {}, json({}));
  await expectStatus(400, 'POST', '/whip', {}, { headers: { 'content-type': SDP }, body: 'v=0' });
  await expectStatus(404, 'POST', '/whip?face=none', {}, { headers: { 'content-type': SDP }, body: 'v=0' });
});

test('the machine, the pages and the login', async () => {
  await expectStatus(200, 'GET', '/api/sessions/{session}/snapshot.png', { session });
  await until(() => server.monitor.history().length > 0, 'a sample of the machine');
  for (const at of ['/api/sessions', '/api/status', '/api/status/memory', '/api/status/memory.csv', '/api/preflight'])
    await expectStatus(200, 'GET', at);
  const { text } = await expectStatus(200, 'GET', '/api/config');
  expect(text).toContain('"limits.sessions"');
  expect(text).not.toContain(token);
  for (const at of [
    '/api/models',
    '/api/cache',
    '/healthz',
    '/readyz',
    '/metrics',
    '/api/openapi.json',
    '/',
    '/api/docs',
    '/detect',
  ])
    await expectStatus(200, 'GET', at);
  await expectStatus(200, 'GET', '/api/profile?seconds=1');
  await expectStatus(400, 'GET', '/api/profile?seconds=x');
  await expectStatus(404, 'GET', '/api/profile?thread=lane-99');
  await expectStatus(200, 'GET', '/view/{stream}', { stream: 'desk' });
  await expectStatus(404, 'GET', '/view/{stream}', { stream: 'a b' });
  await expectStatus(200, 'GET', '/remote/{stream}', { stream: 'desk' });
  await expectStatus(404, 'GET', '/remote/{stream}', { stream: 'a b' });
  await expectStatus(302, 'GET', '/call');
  await expectStatus(302, 'GET', '/enter');
  await expectStatus(302, 'GET', '/enter/call');
  await expectStatus(200, 'GET', '/call/{room}', { room: 'team' });
  await expectStatus(426, 'GET', '/ws');
  await expectStatus(200, 'DELETE', '/api/cache/{kind}', { kind: 'optimised' });
  await expectStatus(404, 'DELETE', '/api/cache/{kind}', { kind: 'none' });
  await expectStatus(204, 'POST', '/api/login', {}, json({ token }));
  await expectStatus(401, 'POST', '/api/login', {}, json({ token: 'x' }));
});

test('the end of a session', async () => {
  await expectStatus(200, 'DELETE', '/whip/{session}', { session });
  await expectStatus(404, 'DELETE', '/whip/{session}', { session });
});

test('what is refused before a route is asked', async () => {
  const headers = { authorization: 'Bearer wrong' };
  await expectStatus(401, 'GET', '/api/faces', {}, { headers });
  await expectStatus(401, 'GET', '/', {}, { headers: { ...headers, accept: 'text/html' } });
  await expectStatus(403, 'GET', '/api/faces', {}, { headers: { origin: 'https://elsewhere.example' } });
  for (let n = 0; n < 12; n++)
    await api.ask('GET', '/api/faces', {}, { headers: { authorization: `Bearer wrong-${n}` } });
  await expectStatus(429, 'GET', '/api/faces');
});

test('every operation was asked for each of its replies', () => {
  // A WebSocket opens with no reply of HTTP's own; an ICE restart of WHIP is that of WHEP.
  const known = ['socket 101', 'publishPatch 200'];
  const missing = api.successes.filter((reply) => !api.seen.has(reply) && !known.includes(reply));
  expect(missing.filter((reply) => hasFfmpeg || !/Recording/.test(reply))).toEqual([]);
});
