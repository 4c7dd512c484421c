import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPeers } from '../../../../src/server/h264/peers.ts';
import { type EchoServer, startEcho } from '../../../support/echo.ts';
import { Publisher } from '../../../support/publisher.ts';
import { until } from '../../../support/server.ts';
import { Watcher } from '../../../support/viewer.ts';

let server: EchoServer;
const clients: { close(): void }[] = [];
beforeAll(async () => {
  server = await startEcho({ webrtc: { portMin: 41_500, portMax: 41_501 } });
});
afterAll(async () => {
  for (const client of clients) client.close();
  await server.close();
  await until(() => openPeers() === 0, 'every peer to be gone');
});

test('a peer beyond the range of ports is told to come back, and comes in once a port is free', async () => {
  const camera = new Publisher();
  const [viewer, other] = [new Watcher(), new Watcher()];
  clients.push(camera, viewer, other);
  camera.send(320, 240);
  expect((await camera.whip(server.url, '?stream=stage')).status).toBe(201);
  await until(() => camera.received.length > 0, 'pictures to come back');
  const answer = await viewer.whep(server.url, 'stage');
  expect(answer.status).toBe(201);
  const ports = [...(await answer.text()).matchAll(/^a=candidate:\S+ 1 udp \d+ \S+ (\d+) /gm)].map((match) =>
    Number(match[1]),
  );
  expect(ports.length).toBeGreaterThan(0);
  expect(ports.every((port) => port === 41_500 || port === 41_501)).toBe(true);
  const refused = await other.whep(server.url, 'stage');
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
  expect(await refused.json()).toMatchObject({ code: 'ports_taken' });
  await fetch(viewer.location, { method: 'DELETE' });
  expect((await other.whep(server.url, 'stage')).status).toBe(201);
  await until(() => other.received > 2, 'pictures');
});
