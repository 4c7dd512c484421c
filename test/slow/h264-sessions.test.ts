/** Sessions in H.264 and VP8, opened and closed one after another: they leave no thread, descriptor or memory behind. */

import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { H264Libraries } from '../../src/server/h264/h264-packages.ts';
import { openPeers } from '../../src/server/h264/peers.ts';
import { type EchoServer, startEcho } from '../support/echo.ts';
import { cacheWithH264, type EncodedUnit, encodeH264, h264Libraries, whyNoH264 } from '../support/h264.ts';
import { Obs } from '../support/obs.ts';
import { Publisher } from '../support/publisher.ts';
import { until } from '../support/server.ts';
import { Watcher } from '../support/viewer.ts';

const why = whyNoH264();
const count = (folder: string): number => readdirSync(`/proc/self/${folder}`).length;

describe.skipIf(why !== null)(`sessions of both kinds${why === null ? '' : ` (skipped: ${why})`}`, () => {
  const cacheDir = cacheWithH264();
  let libraries: H264Libraries;
  let server: EchoServer;
  let units: EncodedUnit[];

  beforeAll(async () => {
    libraries = await h264Libraries();
    server = await startEcho({ models: { cacheDir } });
    units = await encodeH264(['-f', 'lavfi', '-i', 'testsrc2=size=640x480:rate=30', '-t', '2'], ['-g', '30']);
  });
  afterAll(async () => {
    await server.close();
  });

  /** One publisher, in H.264 every other time, with a viewer in VP8 and sound. */
  async function session(n: number): Promise<void> {
    const publisher = n % 2 === 0 ? new Obs(libraries) : new Publisher();
    if (publisher instanceof Publisher) publisher.hum();
    expect((await publisher.whip(server.url, '?stream=turn')).status).toBe(201);
    if (publisher instanceof Obs) {
      publisher.play(units, 30);
      publisher.hum();
    } else publisher.send(640, 480);
    const watcher = new Watcher();
    await until(() => server.sessions.all()[0]!.picture !== null, 'pictures');
    expect((await watcher.whep(server.url, 'turn')).status).toBe(201);
    await until(() => watcher.received > 3, 'pictures at the viewer');
    await fetch(watcher.location, { method: 'DELETE' });
    await fetch(new URL(publisher.location, server.url), { method: 'DELETE' });
    watcher.close();
    publisher.close();
    await until(() => openPeers() === 0, 'the peers to be gone');
  }

  test('leave threads, descriptors and memory where they were', async () => {
    for (let n = 0; n < 30; n++) await session(n);
    const before = { threads: count('task'), descriptors: count('fd'), rssMb: process.memoryUsage.rss() / 2 ** 20 };
    for (let n = 0; n < 100; n++) await session(n);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const after = { threads: count('task'), descriptors: count('fd'), rssMb: process.memoryUsage.rss() / 2 ** 20 };
    console.log(`after 30 sessions ${JSON.stringify(before)}, after 130 ${JSON.stringify(after)}`);
    expect(after.threads).toBeLessThanOrEqual(before.threads + 2);
    expect(after.descriptors).toBeLessThanOrEqual(before.descriptors + 4);
    expect(after.rssMb).toBeLessThan(before.rssMb + 150);
  }, 600_000);
});
