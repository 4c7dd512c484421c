import { afterEach, beforeEach, expect, test } from 'vitest';
import { type EchoServer, startEcho } from '../../../support/echo.ts';
import { Publisher } from '../../../support/publisher.ts';
import { until } from '../../../support/server.ts';

let server: EchoServer;
const clients: Publisher[] = [];
const publisher = (): Publisher => {
  const one = new Publisher();
  clients.push(one);
  one.send(320, 240);
  return one;
};
beforeEach(async () => {
  server = await startEcho({ limits: { sessions: 3 } });
});
afterEach(async () => {
  for (const one of clients.splice(0)) one.close();
  await server.close();
});

const readiness = async (): Promise<[number, unknown]> => {
  const answer = await fetch(`${server.url}/readyz`);
  return [answer.status, await answer.json()];
};

test('readiness tells how many sessions run, and how many more there is room for', async () => {
  expect(await readiness()).toEqual([
    200,
    { ready: true, draining: false, sessions: { open: 0, most: 3, more: expect.any(Number) } },
  ]);
});

test('a server that drains refuses new sessions, and lets running ones go on to their end', async () => {
  const running = publisher();
  expect((await running.whip(server.url)).status).toBe(201);
  await until(() => running.received.length > 0, 'pictures to come back');
  let isDrained = false;
  const drained = server.drain(60_000).then(() => {
    isDrained = true;
  });
  expect(await readiness()).toEqual([503, { ready: false, draining: true, sessions: { open: 1, most: 3, more: 0 } }]);
  const refused = await publisher().whip(server.url);
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
  expect(await refused.json()).toMatchObject({ code: 'server_stopping' });
  const before = running.received.length;
  await until(() => running.received.length > before + 5, 'pictures to go on');
  expect(isDrained).toBe(false);
  await fetch(running.location, { method: 'DELETE' });
  await drained;
});

test('a session that does not end holds the server up for as long as it is told to', async () => {
  const running = publisher();
  expect((await running.whip(server.url)).status).toBe(201);
  await server.drain(300);
  expect(server.sessions.size).toBe(1);
});
