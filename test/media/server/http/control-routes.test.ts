import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import type { ErrorBody, FaceInfo, PresetInfo, ServerMessage } from '../../../../src/shared/messages.ts';
import type { SwapSettings } from '../../../../src/shared/settings.ts';
import { type EchoServer, noFaces, startEcho } from '../../../support/echo.ts';
import { Publisher } from '../../../support/publisher.ts';
import { until } from '../../../support/server.ts';

const dataDir = mkdtempSync(path.join(os.tmpdir(), 'faceoff-control-'));
const file = path.join(dataDir, 'presets.json');
const faces = { ...noFaces, list: () => ['a', 'b', 'c'].map((id) => ({ id, name: id }) as FaceInfo) };
const start = (): Promise<EchoServer> =>
  startEcho({ storage: { dir: dataDir }, limits: { presets: 2 }, swap: { face: 'a' } }, null, faces);

let server: EchoServer;
let camera: Publisher;
beforeAll(async () => {
  server = await start();
});
beforeEach(async () => {
  camera = new Publisher();
  camera.send(320, 240);
  expect((await camera.whip(`${server.url}`, '?stream=desk')).status).toBe(201);
});
afterEach(async () => {
  camera.close();
  server.sessions.close();
  await until(() => server.sessions.size === 0, 'the session to be gone');
});
afterAll(async () => {
  await server.close();
  rmSync(dataDir, { recursive: true, force: true });
});

async function ask<T = SwapSettings>(method: string, at: string, body?: unknown, headers: Record<string, string> = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const answer = await fetch(server.url + at, { method, headers, ...(body !== undefined && { body: text }) });
  const said = await answer.text();
  return { status: answer.status, body: (said === '' ? null : JSON.parse(said)) as T & ErrorBody };
}
const desk = '/api/streams/desk';
const session = (): string => `/api/sessions/${server.sessions.all()[0]!.id}`;

describe('settings over REST', () => {
  test('are read and changed by the session and by the stream, and answered whole', async () => {
    expect((await ask('GET', `${desk}/settings`)).body).toMatchObject({ on: true, face: 'a', strength: 1 });
    const changed = await ask('PATCH', `${session()}/settings`, { strength: 0.25, map: { 1: 'b' } });
    expect(changed.status).toBe(200);
    expect(changed.body).toMatchObject({ on: true, face: 'a', strength: 0.25, map: { 1: 'b' } });
    expect((await ask('GET', `${desk}/settings`)).body).toEqual(changed.body);
  });

  test('are read from a body of any content type, as curl sends a form', async () => {
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    expect((await ask('PATCH', `${desk}/settings`, { shape: 0.5 }, form)).body.shape).toBe(0.5);
    expect((await ask('POST', `${desk}/toggle`, '', { 'content-type': 'application/json' })).body.on).toBe(false);
  });

  test.each([
    ['a value out of range', { strength: 2 }, ['strength']],
    ['a word that is none', { fallback: 'black' }, ['fallback']],
    ['a field that is none, beside a good one', { strenght: 1, shape: 0 }, ['strenght']],
    ['two of them', { on: 1, keepEyes: 'yes' }, ['on', 'keepEyes']],
    ['a person that is none', { map: { me: 'a' } }, ['map.me']],
    ['no object', [1], []],
  ])('%s is refused by name, and nothing changes', async (_what, patch, fields) => {
    const before = await ask('GET', `${desk}/settings`);
    const { status, body } = await ask<ErrorBody>('PATCH', `${desk}/settings`, patch);
    expect([status, body.code, body.details]).toEqual([400, 'bad_settings', { fields }]);
    for (const field of fields) expect(body.message).toContain(field);
    expect(await ask('GET', `${desk}/settings`)).toEqual(before);
  });

  test.each([
    ['PATCH', `${desk}/settings`, 'strength=1', 400, 'bad_json'],
    ['PATCH', `${desk}/settings`, undefined, 400, 'bad_json'],
    ['GET', '/api/sessions/none/settings', undefined, 404, 'unknown_session'],
    ['PATCH', '/api/sessions/none/settings', '{}', 404, 'unknown_session'],
    ['POST', '/api/sessions/none/toggle', undefined, 404, 'unknown_session'],
    ['GET', '/api/streams/none/settings', undefined, 404, 'unknown_stream'],
    ['POST', `${desk}/preset/none`, undefined, 404, 'unknown_preset'],
    ['POST', `${desk}/toggle/strength`, undefined, 404, 'not_found'],
    ['GET', `${desk}/toggle`, undefined, 405, 'wrong_method'],
  ])('%s %s with %s: %i', async (method, at, body, status, code) => {
    const refused = await ask<ErrorBody>(method, at, body);
    expect([refused.status, refused.body.code]).toEqual([status, code]);
  });

  test('a page of another site changes nothing', async () => {
    const { status } = await ask('POST', `${desk}/toggle`, undefined, { origin: 'https://elsewhere.example' });
    expect(status).toBe(403);
    expect((await ask('GET', `${desk}/settings`)).body.on).toBe(true);
  });
});

describe('a step by REST', () => {
  test('goes to the next face and back, round the end', async () => {
    const step = async (way: string) => (await ask('POST', `${desk}/face/${way}`)).body.face;
    expect([await step('next'), await step('next'), await step('next')]).toEqual(['b', 'c', 'a']);
    expect(await step('previous')).toBe('c');
  });

  test('of faces is refused where each person has an own face', async () => {
    await ask('PATCH', `${desk}/settings`, { choice: 'mapped' });
    expect(await ask('POST', `${desk}/face/next`)).toMatchObject({ status: 409, body: { code: 'each_their_own' } });
  });

  test('switches the swap, the eyes and the mouth', async () => {
    const off = await ask('POST', `${desk}/toggle`);
    // What was chosen is not forgotten.
    expect(off.body).toMatchObject({ on: false, face: 'a' });
    expect((await ask('POST', `${session()}/toggle/on`)).body.on).toBe(true);
    expect((await ask('POST', `${desk}/toggle/keepEyes`)).body).toMatchObject({ keepEyes: true, keepMouth: false });
    expect((await ask('POST', `${desk}/toggle/keepMouth`)).body.keepMouth).toBe(true);
  });
});

test('a studio is told of a change by REST at once, and its own changes are answered as before', async () => {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/ws`);
  const heard: ServerMessage[] = [];
  socket.on('message', (data) => heard.push(JSON.parse(String(data)) as ServerMessage));
  const told = () => heard.flatMap((message) => (message.type === 'settings' ? [message] : []));
  await until(() => heard.some(({ type }) => type === 'presets'), 'the greeting');
  const page = new Publisher();
  socket.send(JSON.stringify({ type: 'offer', sdp: await page.offer() }));
  await until(() => told().length === 1, 'the answer');
  await ask('PATCH', '/api/streams/studio/settings', { strength: 0.5 });
  await until(() => told().length === 2, 'the news');
  expect(told()[1]).toMatchObject({ elsewhere: true, settings: { strength: 0.5 } });
  socket.send(JSON.stringify({ type: 'settings', settings: { shape: 0.25 } }));
  await until(() => told().length === 3, 'the answer');
  expect(told()[2]).not.toHaveProperty('elsewhere');
  expect(told()[2]!.settings).toMatchObject({ strength: 0.5, shape: 0.25 });
  socket.send(JSON.stringify({ type: 'settings', settings: { strenght: 1 } }));
  await until(() => heard.at(-1)?.type === 'error', 'the refusal');
  expect(heard.at(-1)).toMatchObject({ error: { code: 'bad_settings', details: { fields: ['strenght'] } } });
  // The other one's settings are its own.
  expect((await ask('GET', `${desk}/settings`)).body.strength).toBe(1);
  await ask('PUT', '/api/presets/for%20all', { strength: 0.1 });
  await until(() => heard.at(-1)?.type === 'presets', 'the presets');
  await ask('DELETE', '/api/presets/for%20all');
  socket.close();
  page.close();
});

describe('presets', () => {
  afterEach(() => rmSync(file, { force: true, recursive: true }));
  const list = async () => (await ask<PresetInfo[]>('GET', '/api/presets')).body.map(({ name }) => name);
  const clear = async () => {
    for (const name of await list()) await ask('DELETE', `/api/presets/${encodeURIComponent(name)}`);
  };

  test('are saved, applied, replaced in place, kept over a restart, and deleted', async () => {
    const name = 'Späte Show – 50 %? #1';
    const at = `/api/presets/${encodeURIComponent(name)}`;
    expect((await ask('PUT', at, { face: 'b', strength: 0.5 })).status).toBe(200);
    await ask('PUT', '/api/presets/second', { keepEyes: true });
    expect((await ask('PUT', at, { face: 'c', strength: 0.5 })).status).toBe(200);
    expect(await list()).toEqual([name, 'second']);
    const put = await ask('POST', `${desk}/preset/${encodeURIComponent(name)}`);
    expect(put.body).toMatchObject({ face: 'c', strength: 0.5, shape: 0.8 });
    const next = await start();
    expect((await (await fetch(`${next.url}/api/presets`)).json()) as unknown).toEqual([
      { name, settings: { face: 'c', strength: 0.5 } },
      { name: 'second', settings: { keepEyes: true } },
    ]);
    await next.close();
    expect((await ask('DELETE', at)).status).toBe(204);
    expect((await ask('DELETE', at)).status).toBe(404);
    expect(readdirSync(dataDir)).toEqual(['presets.json']);
    await clear();
  });

  test.each([
    ['a name that is too long', 'x'.repeat(41), {}, 400, 'bad_name'],
    ['a name with a slash', 'a/b', {}, 400, 'bad_name'],
    ['a name of spaces', '  ', {}, 400, 'bad_name'],
    ['a name with a line end', 'a\nb', {}, 400, 'bad_name'],
    ['who wears what', 'x', { map: {} }, 400, 'bad_settings'],
    ['a value out of range', 'x', { shape: -1 }, 400, 'bad_settings'],
  ])('%s is refused', async (_what, name, settings, status, code) => {
    const refused = await ask('PUT', `/api/presets/${encodeURIComponent(name)}`, settings);
    expect([refused.status, refused.body.code]).toEqual([status, code]);
    expect(existsSync(file)).toBe(false);
  });

  test('may have a name of forty non-Latin characters', async () => {
    const at = `/api/presets/${encodeURIComponent('雪'.repeat(40))}`;
    expect((await ask('PUT', at, {})).status).toBe(200);
    await clear();
  });

  test('beyond the limit are refused, and those of a deleted face change nothing', async () => {
    await ask('PUT', '/api/presets/one', { face: 'nobody', strength: 0 });
    await ask('PUT', '/api/presets/two', {});
    expect(await ask('PUT', '/api/presets/three', {})).toMatchObject({
      status: 507,
      body: { code: 'too_many_presets' },
    });
    expect(await ask('POST', `${desk}/preset/one`)).toMatchObject({ status: 404, body: { code: 'unknown_face' } });
    expect((await ask('GET', `${desk}/settings`)).body).toMatchObject({ face: 'a', strength: 1 });
    await clear();
  });

  test('saved at once are all kept', async () => {
    await Promise.all(['one', 'two'].map((name) => ask('PUT', `/api/presets/${name}`, {})));
    expect((await list()).sort()).toEqual(['one', 'two']);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toHaveLength(2);
    await clear();
  });

  test('in an unreadable file are put aside, not lost', async () => {
    writeFileSync(file, '[{"name": "half');
    const next = await start();
    expect(await (await fetch(`${next.url}/api/presets`)).json()).toEqual([]);
    expect(readFileSync(`${file}.unread`, 'utf8')).toBe('[{"name": "half');
    expect(next.lines.some(({ msg }) => msg.includes('presets cannot be read'))).toBe(true);
    await next.close();
    rmSync(`${file}.unread`);
  });

  test('that cannot be written are refused, and stay unchanged', async () => {
    rmSync(dataDir, { recursive: true });
    writeFileSync(dataDir, 'a file where the folder should be');
    expect(await ask('PUT', '/api/presets/one', {})).toMatchObject({ status: 507, body: { code: 'not_saved' } });
    expect(await list()).toEqual([]);
    rmSync(dataDir);
    expect((await ask('PUT', '/api/presets/one', {})).status).toBe(200);
    await clear();
  });
});
