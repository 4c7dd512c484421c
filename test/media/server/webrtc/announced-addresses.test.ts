/** The addresses of `webrtc.announce` in the answers that publishers and viewers get. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type EchoServer, startEcho } from '../../../support/echo.ts';
import { Publisher } from '../../../support/publisher.ts';
import { until } from '../../../support/server.ts';
import { Watcher } from '../../../support/viewer.ts';

let server: EchoServer;
let camera: Publisher;
let viewer: Watcher;
const answers: Record<string, string> = {};
beforeAll(async () => {
  server = await startEcho({ webrtc: { announce: ['203.0.113.9', 'localhost'] } });
  camera = new Publisher();
  camera.send(320, 240);
  const published = await camera.whip(server.url, '?stream=announced');
  answers['a publisher'] = await published.text();
  await until(() => camera.received.length > 0, 'pictures');
  viewer = new Watcher();
  const watched = await viewer.whep(server.url, 'announced');
  answers['a viewer'] = await watched.text();
});
afterAll(async () => {
  camera.close();
  viewer.close();
  await server.close();
});

test.each(['a publisher', 'a viewer'])(
  '%s is answered with them, each at the port of a candidate of this machine',
  (peer) => {
    const candidates = [...answers[peer]!.matchAll(/^a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host/gim)];
    const portsOf = (address: string): string[] =>
      candidates.flatMap(([, at, port]) => (at === address ? [port!] : []));
    const announced = portsOf('203.0.113.9');
    expect(announced.length).toBeGreaterThan(0);
    const own = candidates.flatMap(([, at, port]) => (at === '203.0.113.9' ? [] : [port!]));
    for (const port of announced) expect(own).toContain(port);
    expect(portsOf('127.0.0.1').length).toBeGreaterThan(0);
  },
);
