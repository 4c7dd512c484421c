/** The addresses of `webrtc.announce` in the answers that publishers and viewers get. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type EchoServer, startEcho } from '../../../support/echo.ts';
import { Publisher } from '../../../support/publisher.ts';
import { until } from '../../../support/server.ts';
import { Watcher } from '../../../support/viewer.ts';

let server: EchoServer;
let camera: Publisher;
let viewer: Watcher;
beforeAll(async () => {
  server = await startEcho({ webrtc: { announce: ['203.0.113.9', 'localhost'] } });
  camera = new Publisher();
  camera.send(320, 240);
  expect((await camera.whip(server.url, '?stream=announced')).status).toBe(201);
  await until(() => camera.received.length > 0, 'pictures');
  viewer = new Watcher();
  expect((await viewer.whep(server.url, 'announced')).status).toBe(201);
});
afterAll(async () => {
  camera.close();
  viewer.close();
  await server.close();
});

test.each([
  ['a publisher', () => camera.connection],
  ['a viewer', () => viewer.connection],
])('%s is answered with them, each at the port of a candidate of this machine', (_peer, connection) => {
  const { sdp } = connection().remoteDescription!;
  const candidates = [...sdp.matchAll(/^a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host/gim)];
  const portsOf = (address: string): string[] => candidates.flatMap(([, at, port]) => (at === address ? [port!] : []));
  const announced = portsOf('203.0.113.9');
  expect(announced.length).toBeGreaterThan(0);
  const own = candidates.flatMap(([, at, port]) => (at === '203.0.113.9' ? [] : [port!]));
  for (const port of announced) expect(own).toContain(port);
  expect(portsOf('127.0.0.1').length).toBeGreaterThan(0);
});
