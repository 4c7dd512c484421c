/** Where pictures of a live session have the visible mark, and what leaving it off takes. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeAll, expect, test } from 'vitest';
import WebSocket from 'ws';
import { rgbToFrame } from '../../../../src/faces/portrait.ts';
import { planesOf } from '../../../../src/shared/i420.ts';
import type { ServerMessage } from '../../../../src/shared/messages.ts';
import { type EchoServer, startEcho } from '../../../support/echo.ts';
import { evenFrame, hasMark } from '../../../support/mark.ts';
import { Publisher } from '../../../support/publisher.ts';
import { type Patch, until } from '../../../support/server.ts';
import { Watcher } from '../../../support/viewer.ts';

const SIZE = { width: 640, height: 480 };
let server: EchoServer;
const clients: { close(): void }[] = [];
const recordings = mkdtempSync(path.join(os.tmpdir(), 'faceoff-marked-'));
beforeAll(async () => {
  server = await startEcho({ recording: { dir: recordings } });
  return async () => {
    await server.close();
    rmSync(recordings, { recursive: true, force: true });
  };
});
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
  server.sessions.close();
});

function camera(): Publisher {
  const publisher = new Publisher();
  clients.push(publisher);
  publisher.play(SIZE, [evenFrame(SIZE.width, SIZE.height).data], 20);
  return publisher;
}

async function watcher(stream: string, url = server.url): Promise<Watcher> {
  const viewer = new Watcher();
  clients.push(viewer);
  await viewer.whep(url, stream);
  return viewer;
}

/** Waits for the pictures that others get to have, or not to have, the mark. */
const marked = (client: { picture: Uint8Array }, wanted: boolean, what: string): Promise<void> =>
  until(
    () => {
      const data = client.picture as Uint8Array<ArrayBuffer>;
      return data.length > 0 && hasMark({ ...SIZE, data }) === wanted;
    },
    `${what} ${wanted ? 'with' : 'without'} the mark`,
  );

/** A page of the studio: its socket, and the camera that it publishes. */
async function page(url = server.url): Promise<{ own: Publisher; socket: WebSocket; heard: ServerMessage[] }> {
  const own = camera();
  const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`);
  clients.push({ close: () => socket.terminate() });
  const heard: ServerMessage[] = [];
  let isAnswered = false;
  socket.on('message', (data) => {
    const message = JSON.parse(String(data)) as ServerMessage;
    heard.push(message);
    if (message.type === 'answer')
      void own.connection.setRemoteDescription({ type: 'answer', sdp: message.sdp }).then(() => {
        isAnswered = true;
        for (const each of heard)
          if (each.type === 'candidate' && each.candidate !== null) void own.connection.addIceCandidate(each.candidate);
      });
    else if (message.type === 'candidate' && message.candidate !== null && isAnswered)
      void own.connection.addIceCandidate(message.candidate);
  });
  await until(() => heard.some(({ type }) => type === 'hello'), 'the greeting');
  socket.send(JSON.stringify({ type: 'offer', sdp: await own.offer(), stream: 'stage' }));
  await until(() => own.received.length > 0, 'pictures');
  return { own, socket, heard };
}

const patch = (body: object): Promise<Response> =>
  fetch(`${server.url}/api/streams/stage/settings`, { method: 'PATCH', body: JSON.stringify(body) });
const listed = async (): Promise<{ session: string; unmarked: { by: string; at: string } | null }> =>
  ((await (await fetch(`${server.url}/api/sessions`)).json()) as never[])[0]!;
const record = (of: EchoServer): { by: string; session: string; acknowledged: string }[] =>
  JSON.parse(readFileSync(path.join(of.config.storage.dir, 'disclosure.json'), 'utf8'));

test('a publisher by WHIP, its viewers and snapshots get marked pictures without a setting', async () => {
  const own = camera();
  await own.whip(server.url, '?stream=stage&face=astronaut');
  const viewer = await watcher('stage');
  await marked(own, true, 'what comes back');
  await marked(viewer, true, 'what a viewer sees');
  const { session } = await listed();
  const png = await (await fetch(`${server.url}/api/sessions/${session}/snapshot.png`)).arrayBuffer();
  const { data } = await sharp(Buffer.from(png)).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  expect(hasMark(rgbToFrame(data, SIZE.width, SIZE.height, 3))).toBe(true);
});

test.skipIf(spawnSync('ffmpeg', ['-version']).status !== 0)(
  'a recording of a page’s session has the mark in its pictures (needs ffmpeg)',
  async () => {
    const { own } = await page();
    const at = `${server.url}/api/sessions/${(await listed()).session}/recording`;
    expect((await fetch(at, { method: 'POST' })).status).toBe(201);
    const begun = own.received.length;
    await until(() => own.received.length > begun + 20, 'pictures');
    const { files } = (await (await fetch(at, { method: 'DELETE' })).json()) as { files: string[] };
    const { stdout } = spawnSync(
      'ffmpeg',
      [
        '-v',
        'error',
        '-i',
        path.join(recordings, files[0]!),
        '-frames:v',
        '5',
        '-f',
        'rawvideo',
        '-pix_fmt',
        'yuv420p',
        '-',
      ],
      { maxBuffer: 1e8 },
    );
    const { bytes } = planesOf(SIZE);
    const pictures = Array.from({ length: stdout.length / bytes }, (_, n) =>
      hasMark({ ...SIZE, data: new Uint8Array(stdout.subarray(n * bytes, (n + 1) * bytes)) }),
    );
    expect(pictures).toEqual([true, true, true, true, true]);
  },
);

test('a page sees its own picture without the mark that its viewers see', async () => {
  const { own } = await page();
  const viewer = await watcher('stage');
  await marked(viewer, true, 'what a viewer sees');
  await marked(own, false, 'what the page sees');
});

test('pictures that are not modified have no mark', async () => {
  const own = camera();
  await own.whip(server.url, '?stream=stage');
  expect((await patch({ face: null })).status).toBe(200);
  await marked(own, false, 'what comes back');
  expect((await patch({ face: 'astronaut' })).status).toBe(200);
  await marked(own, true, 'what comes back');
});

test('the mark is left off only where the duty to disclose is acknowledged, which is recorded with its time', async () => {
  const own = camera();
  await own.whip(server.url, '?stream=stage');
  const refused = await patch({ badge: false });
  expect(refused.status).toBe(422);
  expect(await refused.json()).toMatchObject({
    code: 'disclosure_not_acknowledged',
    message: expect.stringContaining('article 50'),
  });
  expect((await listed()).unmarked).toBeNull();
  await marked(own, true, 'what comes back');

  const beganMs = Date.now();
  expect((await patch({ badge: false, disclosureAcknowledged: true })).status).toBe(200);
  await marked(own, false, 'what comes back');
  const { session, unmarked } = await listed();
  expect(unmarked).toMatchObject({ by: 'api', session });
  expect(Date.parse(unmarked!.at)).toBeGreaterThanOrEqual(beganMs);
  await until(() => {
    try {
      return record(server).some((choice) => choice.session === session);
    } catch {
      return false;
    }
  }, 'the record');
  expect(record(server).at(-1)).toEqual({ ...unmarked, acknowledged: expect.stringContaining('article 50') });

  expect((await patch({ badge: true })).status).toBe(200);
  await marked(own, true, 'what comes back');
  expect((await listed()).unmarked).toBeNull();
});

test('a page is asked in the same way', async () => {
  const { socket, heard } = await page();
  socket.send(JSON.stringify({ type: 'settings', settings: { badge: false } }));
  await until(() => heard.some(({ type }) => type === 'error'), 'the refusal');
  expect((await listed()).unmarked).toBeNull();
  socket.send(JSON.stringify({ type: 'settings', settings: { badge: false, disclosureAcknowledged: true } }));
  await until(async () => (await listed()).unmarked?.by === 'publisher', 'the choice');
});

test.each([
  [{ badge: false, acknowledged: false }, null],
  [{ badge: false, acknowledged: true }, 'config'],
])('a configuration of %j begins sessions with the choice %s', async (disclosure, by) => {
  const other = await startEcho({ disclosure } satisfies Patch);
  try {
    const own = camera();
    await own.whip(other.url, '?stream=stage');
    await marked(own, by === null, 'what comes back');
    const [session] = other.sessions.all();
    expect(session!.unmarked?.by ?? null).toBe(by);
  } finally {
    await other.close();
  }
  if (by !== null) expect(record(other).map((choice) => choice.by)).toEqual([by]);
});
