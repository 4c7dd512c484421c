/**
 * Sessions in H.264 and VP8, opened and closed one after another against the program as it is started: they leave no
 * thread, descriptor or memory behind. Linux only.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COLLECTING, collectGarbage } from '../../bench/soak/collect-garbage.ts';
import type { H264Libraries } from '../../src/server/h264/h264-packages.ts';
import { cacheWithH264, type EncodedUnit, encodeH264, h264Libraries, whyNoH264 } from '../support/h264.ts';
import { Obs } from '../support/obs.ts';
import { Publisher } from '../support/publisher.ts';
import { type Program, startProgram, until } from '../support/server.ts';
import { Watcher } from '../support/viewer.ts';

const why = whyNoH264();
/** Time in which the server gives freed memory back once no session is left. */
const SETTLE_MS = 10_000;

describe.skipIf(why !== null)(`sessions of both kinds${why === null ? '' : ` (skipped: ${why})`}`, () => {
  const cacheDir = cacheWithH264();
  let libraries: H264Libraries;
  let server: Program;
  let units: EncodedUnit[];

  beforeAll(async () => {
    libraries = await h264Libraries();
    server = await startProgram(['--set', `models.cacheDir=${cacheDir}`, '--set', 'swap.engine=none'], COLLECTING);
    units = await encodeH264(['-f', 'lavfi', '-i', 'testsrc2=size=640x480:rate=30', '-t', '2'], ['-g', '30']);
  });
  afterAll(async () => {
    await server?.stop();
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
    expect((await watcher.whep(server.url, 'turn')).status).toBe(201);
    await until(() => watcher.received > 3, 'pictures at the viewer');
    await fetch(watcher.location, { method: 'DELETE' });
    await fetch(new URL(publisher.location, server.url), { method: 'DELETE' });
    watcher.close();
    publisher.close();
    await until(async () => ((await (await fetch(`${server.url}/api/sessions`)).json()) as []).length === 0, 'the end');
  }

  /** What the server holds while no session is open. */
  async function held(): Promise<{ threads: number; descriptors: number; rssMb: number }> {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    await collectGarbage(server.child.pid!);
    const at = `/proc/${server.child.pid}`;
    const rssKb = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`${at}/status`, 'utf8'))![1]);
    return {
      threads: readdirSync(`${at}/task`).length,
      descriptors: readdirSync(`${at}/fd`).length,
      rssMb: Math.round(rssKb / 1024),
    };
  }

  test('leave threads, descriptors and memory where they were', async () => {
    for (let n = 0; n < 30; n++) await session(n);
    const before = await held();
    for (let n = 0; n < 100; n++) await session(n);
    const after = await held();
    console.log(`after 30 sessions ${JSON.stringify(before)}, after 130 ${JSON.stringify(after)}`);
    expect(after.threads).toBeLessThanOrEqual(before.threads + 2);
    expect(after.descriptors).toBeLessThanOrEqual(before.descriptors + 4);
    expect(after.rssMb).toBeLessThan(1.1 * before.rssMb);
  }, 600_000);
});
