/** A publisher that was cut and comes back before the server gave its session up. */

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { openPeers } from '../../../../src/server/h264/peers.ts';
import { type EchoServer, startEcho } from '../../../support/echo.ts';
import { Publisher } from '../../../support/publisher.ts';
import { until } from '../../../support/server.ts';
import { Watcher } from '../../../support/viewer.ts';

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
afterAll(() => server.close());

function newPublisher(width: number): Publisher {
  const one = new Publisher();
  clients.push(one);
  one.send(width, 240);
  return one;
}

async function publish(query = '?stream=stage', width = 320): Promise<Publisher> {
  const one = newPublisher(width);
  expect((await one.whip(server.url, query)).status).toBe(201);
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

/** Waits until the server had no frame of the only session for a second. */
const silent = () =>
  until(() => performance.now() - server.sessions.all()[0]!.lastFrameAtMs > 1000, 'the camera to be silent');

test('its viewers see its last picture, and then it again, with the settings that it had', async () => {
  const cut = await publish();
  const one = await watch();
  const settings = { method: 'PATCH', body: JSON.stringify({ keepEyes: true, strength: 0.5 }) };
  expect((await fetch(`${server.url}/api/streams/stage/settings`, settings)).status).toBe(200);
  cut.silence();
  await silent();
  const before = one.received;
  await until(() => one.received > before + 2, 'the still picture');
  expect(one.size).toBe('320x240');
  await publish('?stream=stage', 160);
  await until(() => one.size === '160x240', 'the publisher that came back');
  const now = server.sessions.all().map((session) => session.settings);
  expect(now).toMatchObject([{ keepEyes: true, strength: 0.5 }]);
  expect(openPeers()).toBe(2);
});

test('it may choose another face when it comes back', async () => {
  (await publish('?stream=stage&face=first')).silence();
  await silent();
  await publish('?stream=stage&face=second');
  expect(server.sessions.all().map(({ settings }) => settings.face)).toEqual(['second']);
});

test('it waits for the server to see that the old connection is silent', async () => {
  (await publish()).silence();
  await publish();
  expect(server.sessions.size).toBe(1);
});

test('it is told from another publisher by the session that it names, which no guess finds', async () => {
  const camera = await publish();
  const id = camera.location.split('/').at(-1)!;
  await publish(`?stream=stage&again=${id}`, 160);
  expect(server.sessions.all().map((session) => session.id === id)).toEqual([false]);
  for (const query of ['?stream=stage', `?stream=stage&again=${id}`, '?stream=stage&again='])
    expect((await newPublisher(320).whip(server.url, query)).status).toBe(409);
});
