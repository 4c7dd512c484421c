/** Sound from a publisher to viewers, without a browser. */

import { readdirSync } from 'node:fs';
import wrtc from '@roamhq/wrtc';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loudness } from '../../../../src/media/sound.ts';
import { openPeers } from '../../../../src/server/h264/peers.ts';
import { type EchoServer, startEcho } from '../../../support/echo.ts';
import { Publisher } from '../../../support/publisher.ts';
import { until } from '../../../support/server.ts';
import { Watcher } from '../../../support/viewer.ts';

let server: EchoServer;
beforeAll(async () => {
  server = await startEcho();
});
afterAll(() => server.close());

/** Notes the loudness of each piece of sound that a viewer receives, until stopped. */
function listen({ connection }: Watcher): { heard: number[]; stop(): void } {
  const heard: number[] = [];
  const { receiver } = connection.addTransceiver('audio', { direction: 'recvonly' });
  const sink = new wrtc.nonstandard.RTCAudioSink(receiver.track);
  sink.ondata = (sound) => heard.push(loudness(sound));
  return { heard, stop: () => sink.stop() };
}

async function hearing(): Promise<void> {
  const camera = new Publisher();
  camera.hum();
  camera.send(160, 120);
  expect((await camera.whip(server.url, '?stream=hum')).status).toBe(201);
  const [one, silent] = [new Watcher(), new Watcher()];
  const { heard, stop } = listen(one);
  expect((await one.whep(server.url, 'hum')).status).toBe(201);
  // A viewer that does not ask for sound gets the picture alone.
  expect((await silent.whep(server.url, 'hum')).status).toBe(201);
  await until(() => heard.filter((level) => level > 0.1).length > 20, 'sound');
  await until(() => one.received > 2 && silent.received > 2, 'pictures');
  stop();
  camera.unplug();
  for (const { location } of [one, silent, camera]) await fetch(new URL(location, server.url), { method: 'DELETE' });
  for (const client of [camera, one, silent]) client.close();
  server.sessions.close();
  await until(() => openPeers() === 0, 'everything to be gone');
}

test('sound is heard by the viewers that ask for it', hearing);

test('publishers and viewers with sound leave no thread behind', async () => {
  const threads = (): number => readdirSync('/proc/self/task').length;
  for (let i = 0; i < 2; i++) await hearing();
  const before = threads();
  for (let i = 0; i < 5; i++) await hearing();
  console.log(`threads ${before} → ${threads()}`);
  expect(threads()).toBeLessThanOrEqual(before + 2);
}, 120_000);
