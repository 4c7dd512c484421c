/** What a server tells hooks of, and which lines of its log carry the session's id. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EVENT_DATA, type ServerEvent } from '../../../../src/server/hooks/event-schemas.ts';
import type { FaceInfo } from '../../../../src/shared/messages.ts';
import { type EchoServer, noFaces, startEcho } from '../../../support/echo.ts';
import { Publisher } from '../../../support/publisher.ts';
import { type Patch, until } from '../../../support/server.ts';
import { Watcher } from '../../../support/viewer.ts';

const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0;
const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-events-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let server: EchoServer;
let told: ServerEvent[];
const endings: (() => unknown)[] = [];
beforeEach(() => {
  told = [];
});
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function serve(patch: Patch = {}, faces = noFaces): Promise<void> {
  server = await startEcho(
    { recording: { dir: path.join(folder, 'recordings'), minFreeMb: 0 }, ...patch },
    null,
    faces,
  );
  endings.push(() => server.close());
  server.events.listen((event) => told.push(event));
}

async function publish(query: string): Promise<{ publisher: Publisher; session: string }> {
  const publisher = new Publisher();
  endings.push(() => publisher.close());
  publisher.send(320, 240);
  expect((await publisher.whip(server.url, query)).status).toBe(201);
  await until(() => publisher.received.length > 0, 'pictures to come back');
  return { publisher, session: publisher.location.split('/').at(-1)! };
}

/** The events of some types, each checked against its schema. */
const ofTypes = (...types: string[]): ServerEvent[] =>
  told
    .filter(({ type }) => types.includes(type))
    .map((event) => ({ ...event, data: EVENT_DATA[event.type].strict().parse(event.data) }) as ServerEvent);

describe('a stream', () => {
  test('is told of when it is up, when its quality changes, and when it is down', async () => {
    await serve();
    const { publisher, session } = await publish('?stream=stage');
    const names = { stream: 'stage', session };
    server.pool.level = 2;
    await until(() => ofTypes('quality.fallen').length === 1, 'the fall');
    server.pool.level = 0;
    await until(() => ofTypes('quality.restored').length === 1, 'the rise');
    await fetch(publisher.location, { method: 'DELETE' });
    expect(told.map(({ type }) => type)).toEqual(['stream.up', 'quality.fallen', 'quality.restored', 'stream.down']);
    expect(told.map(({ data }) => data)).toEqual([
      names,
      { ...names, from: 'level 0', to: 'level 2', cause: 'good' },
      { ...names, from: 'level 2', to: 'level 0' },
      { ...names, cause: 'deleted by its client' },
    ]);
  });

  test('that never connects is not told of', async () => {
    await serve();
    const publisher = new Publisher();
    endings.push(() => publisher.close());
    const headers = { 'content-type': 'application/sdp' };
    const answer = await fetch(`${server.url}/whip`, { method: 'POST', headers, body: await publisher.offer() });
    await fetch(server.url + answer.headers.get('location')!, { method: 'DELETE' });
    expect(told).toEqual([]);
  });

  test('tells of viewers that come and go', async () => {
    await serve();
    const { session } = await publish('?stream=stage');
    const watcher = new Watcher();
    endings.push(() => watcher.close());
    expect((await watcher.whep(server.url, 'stage')).status).toBe(201);
    await until(() => watcher.received > 0, 'a picture');
    await fetch(watcher.location, { method: 'DELETE' });
    const viewer = watcher.location.split('/').at(-1)!;
    expect(ofTypes('viewer.joined', 'viewer.left').map(({ data }) => data)).toEqual([
      { stream: 'stage', session, viewer },
      { stream: 'stage', session, viewer, cause: 'deleted by its client' },
    ]);
  });
});

describe.runIf(hasFfmpeg)('a recording', () => {
  const record = (session: string, method = 'POST') =>
    fetch(`${server.url}/api/sessions/${session}/recording`, { method });

  test('is told of with its file', async () => {
    await serve();
    const { publisher, session } = await publish('?stream=stage');
    await record(session);
    const { length } = publisher.received;
    await until(() => publisher.received.length > length + 30, 'a second of pictures', 20_000);
    await record(session, 'DELETE');
    const [event, ...more] = ofTypes('recording.finished') as ServerEvent<'recording.finished'>[];
    expect(more).toEqual([]);
    expect(event!.data).toMatchObject({ stream: 'stage', session, part: 1, parts: 1, code: null });
    expect(path.isAbsolute(event!.data.file) && existsSync(event!.data.file)).toBe(true);
    expect(ofTypes('fault')).toEqual([]);
  });

  test('that ends for lack of space is a fault of its session', async () => {
    await serve({ recording: { dir: path.join(folder, 'full'), minFreeMb: 0, maxMb: 1 } });
    const { session } = await publish('?stream=stage');
    await record(session);
    writeFileSync(path.join(folder, 'full', 'another.webm'), Buffer.alloc(2 ** 20));
    await until(() => ofTypes('fault').length > 0, 'the end of the space', 20_000);
    expect(ofTypes('fault').map(({ data }) => data)).toEqual([
      { part: 'recording', code: 'recordings_full', cause: expect.stringMatching(/maxMb/), stream: 'stage', session },
    ]);
  }, 30_000);
});

test('a face that is added is told of, a further photo of one is not', async () => {
  const info: FaceInfo = {
    id: 'ada',
    name: 'Ada',
    builtIn: false,
    addedAt: '',
    photos: 1,
    licence: null,
    thumbnail: '',
    consentedAt: null,
    consentDue: false,
  };
  await serve({}, { ...noFaces, add: async () => info });
  const add = (fields: Record<string, string>) => {
    const body = new FormData();
    for (const [name, value] of Object.entries({ consent: 'true', ...fields })) body.append(name, value);
    body.append('file', new Blob(['picture']));
    return fetch(`${server.url}/api/faces`, { method: 'POST', body });
  };
  expect((await add({ name: 'Ada' })).status).toBe(201);
  expect((await add({ face: 'ada' })).status).toBe(201);
  expect(told.map(({ type, data }) => [type, data])).toEqual([['face.added', { face: 'ada', name: 'Ada' }]]);
});

test('memory that gets short is a fault of the server', async () => {
  await serve({ memory: { rssLimitMb: 128, releaseAt: 0.1, degradeAt: 1, intervalMs: 100 } });
  await until(() => ofTypes('fault').length > 0, 'the fault');
  expect(ofTypes('fault')[0]!.data).toMatchObject({ part: 'memory', code: 'memory_short', session: null });
});

test('every line of the log that concerns a session carries its id', async () => {
  await serve({ limits: { frameWidth: 200, frameHeight: 200 } });
  const { publisher, session } = await publish('?stream=stage');
  const watcher = new Watcher();
  endings.push(() => watcher.close());
  expect((await watcher.whep(server.url, 'stage')).status).toBe(201);
  await until(() => watcher.received > 0, 'a picture');
  server.pool.level = 3;
  await until(() => server.lines.some(({ msg }) => msg === 'quality changed'), 'a change of quality');
  if (hasFfmpeg) {
    const at = `${server.url}/api/sessions/${session}/recording`;
    await fetch(at, { method: 'POST' });
    const { length } = publisher.received;
    await until(() => publisher.received.length > length + 10, 'pictures', 20_000);
    await fetch(at, { method: 'DELETE' });
  }
  server.pool.lost = true;
  await until(() => server.lines.some(({ msg }) => msg === 'frame lost'), 'a lost frame');
  await fetch(watcher.location, { method: 'DELETE' });
  await fetch(publisher.location, { method: 'DELETE' });
  const said = server.lines.map(({ msg }) => msg);
  for (const what of [
    'session opened',
    'session connected',
    'viewer opened',
    'frames too large to swap go out as they came; raise limits.frameWidth and frameHeight',
    ...(hasFfmpeg ? ['recording started', 'recording finished'] : []),
    'viewer closed',
    'session closed',
  ])
    expect(said).toContain(what);
  // Nothing but the session happens here.
  expect(server.lines.filter((line) => line.session !== session)).toEqual([]);
  expect(server.lines.filter(({ msg }) => msg.startsWith('viewer')).every(({ viewer }) => viewer !== undefined)).toBe(
    true,
  );
});
