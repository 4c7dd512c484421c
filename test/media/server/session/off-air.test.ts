/** A session that is off air: others see a card, and no frame of the camera after it. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { EXTENSION } from '../../../../src/config.ts';
import { OffAirCard } from '../../../../src/server/disclosure/off-air-card.ts';
import { planesOf } from '../../../../src/shared/i420.ts';
import { type EchoServer, startEcho } from '../../../support/echo.ts';
import { Publisher } from '../../../support/publisher.ts';
import { until } from '../../../support/server.ts';
import { Watcher } from '../../../support/viewer.ts';

const SIZE = { width: 320, height: 240 };
const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-off-air-'));
let server: EchoServer;
let clients: { close(): void }[] = [];
beforeAll(async () => {
  server = await startEcho({});
});
afterEach(async () => {
  for (const one of clients) one.close();
  clients = [];
  server.sessions.close();
  await until(() => server.pool.openSessions + server.sessions.size === 0, 'every session to be gone');
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await server.close();
});

async function publish(): Promise<Publisher> {
  const one = new Publisher();
  clients.push(one);
  one.send(SIZE.width, SIZE.height);
  expect((await one.whip(server.url, '?stream=stage')).status).toBe(201);
  await until(() => one.received.length > 0, 'pictures to come back');
  return one;
}

async function watch(): Promise<Watcher> {
  const one = new Watcher();
  clients.push(one);
  expect((await one.whep(server.url, 'stage')).status).toBe(201);
  await until(() => one.received > 2, 'pictures for the viewer');
  return one;
}

const at = (what: string, init: RequestInit): Promise<Response> =>
  fetch(`${server.url}/api/streams/stage/${what}`, init);
const set = (offAir: boolean): Promise<Response> =>
  at('settings', { method: 'PATCH', body: JSON.stringify({ offAir }) });

/** The publisher's pictures are blue, the card is grey. */
function isCamera(picture: Uint8Array): boolean {
  const { u } = planesOf(SIZE);
  return picture.length > u && picture[u + 4000]! > 150;
}

test('shows viewers, and what comes back to a program, a card until it is on air again', async () => {
  const publisher = await publish();
  const viewer = await watch();
  expect(isCamera(viewer.picture)).toBe(true);
  expect((await set(true)).status).toBe(200);
  await until(() => !isCamera(viewer.picture) && !isCamera(publisher.picture), 'the card for both');
  const sentBefore = publisher.sent;
  let cameras = 0;
  const look = setInterval(() => {
    if (isCamera(viewer.picture) || isCamera(publisher.picture)) cameras++;
  }, 5);
  await until(() => publisher.sent > sentBefore + 20, 'more pictures of the camera');
  clearInterval(look);
  expect(cameras).toBe(0);

  const snapshot = await fetch(`${server.url}/api/sessions/${server.sessions.all()[0]!.id}/snapshot.png`);
  const { channels } = await sharp(Buffer.from(await snapshot.arrayBuffer())).stats();
  expect(Math.abs(channels[2]!.mean - channels[0]!.mean)).toBeLessThan(15);

  const toggled = (await (await at('toggle/offAir', { method: 'POST' })).json()) as { offAir: boolean };
  expect(toggled.offAir).toBe(false);
  await until(() => isCamera(viewer.picture), 'the camera again');
});

test('the hotkeys of the extension may switch it, and no other page', async () => {
  await publish();
  const post = async (what: string, origin: string): Promise<number> =>
    (await at(what, { method: 'POST', headers: { origin } })).status;
  expect(await post('toggle/offAir', EXTENSION)).toBe(200);
  expect(server.sessions.all()[0]!.settings.offAir).toBe(true);
  expect(await post('toggle/offAir', 'https://other.example')).toBe(403);
  expect(await post('toggle/offAir', `chrome-extension://${'a'.repeat(32)}`)).toBe(403);
  expect((await at('settings', { method: 'PATCH', headers: { origin: EXTENSION }, body: '{"on":false}' })).status).toBe(
    403,
  );
  expect(server.sessions.all()[0]!.settings).toMatchObject({ offAir: true, on: true });
});

test('a viewer that comes while it is off air sees the card from its first picture', async () => {
  await publish();
  await set(true);
  const viewer = new Watcher();
  clients.push(viewer);
  expect((await viewer.whep(server.url, 'stage')).status).toBe(201);
  await until(() => viewer.received > 0, 'the first picture');
  expect(isCamera(viewer.picture)).toBe(false);
});

test('the card is the owner’s picture where there is one, cut to the frame’s shape', async () => {
  const file = path.join(folder, 'card.png');
  const red = { width: 400, height: 100, channels: 3, background: '#f00' } as const;
  writeFileSync(file, await sharp({ create: red }).png().toBuffer());
  const card = await OffAirCard.open(file);
  const size = { width: 322, height: 241, receivedAtMs: 5 };
  await until(() => card.frame(size).data[planesOf(size).v]! > 200, 'the rendered picture');
  const frame = card.frame(size);
  expect(frame).toMatchObject(size);
  expect(frame.data.length).toBe(planesOf(size).bytes);
  expect(frame.data.subarray(planesOf(size).v).every((v) => v > 200)).toBe(true);
});

test('the drawn card is a picture of its own', async () => {
  const card = await OffAirCard.open(null);
  const size = { ...SIZE, receivedAtMs: 0 };
  const plain = card.frame(size).data;
  await until(() => card.frame(size).data !== plain, 'the rendered card');
  expect(Math.max(...card.frame(size).data.subarray(0, planesOf(size).u))).toBeGreaterThan(120);
});

test('a file that is no picture is refused with its name', async () => {
  const file = path.join(folder, 'notes.txt');
  writeFileSync(file, 'not a picture');
  await expect(OffAirCard.open(file)).rejects.toMatchObject({
    code: 'bad_config',
    message: expect.stringContaining(file),
  });
});
