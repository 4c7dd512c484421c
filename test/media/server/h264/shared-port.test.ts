import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { H264Libraries } from '../../../../src/server/h264/h264-packages.ts';
import { openPeers } from '../../../../src/server/h264/peers.ts';
import { type EchoServer, startEcho } from '../../../support/echo.ts';
import { cacheWithH264, encodeH264, h264Libraries, whyNoH264 } from '../../../support/h264.ts';
import { H264Watcher } from '../../../support/h264-viewer.ts';
import { Obs } from '../../../support/obs.ts';
import { Publisher } from '../../../support/publisher.ts';
import { until } from '../../../support/server.ts';

const why = whyNoH264();
const [SHARED, ONLY] = [41_520, 41_521];

/** UDP ports of an answer's candidates. */
const portsOf = (sdp: string): number[] =>
  [...sdp.matchAll(/^a=candidate:\S+ 1 udp \d+ \S+ (\d+) /gim)].map((match) => Number(match[1]));

describe.skipIf(why !== null)(`peers in H.264 of one port${why === null ? '' : ` (skipped: ${why})`}`, () => {
  let libraries: H264Libraries;
  let server: EchoServer;
  const clients: { close(): void }[] = [];
  beforeAll(async () => {
    libraries = await h264Libraries();
    const webrtc = { h264Port: SHARED, portMin: ONLY, portMax: ONLY };
    server = await startEcho({ models: { cacheDir: cacheWithH264() }, webrtc });
  });
  afterAll(async () => {
    for (const client of clients) client.close();
    await server.close();
    await until(() => openPeers() === 0, 'every peer to be gone');
  });

  test('publish and watch side by side, and again, and take no port of the range', async () => {
    const colours = ['red', 'blue', 'white'];
    const units = await Promise.all(
      colours.map((colour) =>
        encodeH264(['-f', 'lavfi', '-i', `color=${colour}:size=320x240:rate=30`, '-t', '1'], ['-g', '30']),
      ),
    );
    const viewers: H264Watcher[] = [];
    for (const [n, colour] of colours.entries()) {
      const publisher = new Obs(libraries);
      const viewer = new H264Watcher(libraries);
      clients.push(publisher, viewer);
      const answer = await publisher.whip(server.url, `?stream=${colour}`);
      expect(answer.status).toBe(201);
      const ports = portsOf(await answer.text());
      expect(ports.length).toBeGreaterThan(0);
      expect(new Set(ports)).toEqual(new Set([SHARED]));
      publisher.play(units[n]!, 30);
      const watched = await viewer.whep(server.url, colour);
      expect(new Set(portsOf(await watched.text()))).toEqual(new Set([SHARED]));
      viewers.push(viewer);
    }
    await until(() => viewers.every(({ units }) => units.length > 20), 'pictures at every viewer');
    const shades = server.sessions.all().map(({ picture }) => picture!.data[0]);
    expect(new Set(shades).size).toBe(3);

    // The range has one port, and it is free.
    const [camera, another] = [new Publisher(), new Publisher()];
    clients.push(camera, another);
    camera.send(320, 240);
    const native = await camera.whip(server.url);
    expect(native.status).toBe(201);
    await until(() => camera.received.length > 0, 'pictures to come back');
    expect((await another.whip(server.url)).status).toBe(503);

    const stopped = `${server.url}/whip/${server.sessions.all()[0]!.id}`;
    expect((await fetch(stopped, { method: 'DELETE' })).status).toBe(200);
    const next = new Obs(libraries);
    clients.push(next);
    expect((await next.whip(server.url, '?stream=next')).status).toBe(201);
    next.play(units[0]!, 30);
    await until(() => server.sessions.all().at(-1)!.stats.fpsOut > 5, 'pictures of the next publisher');
  });
});
