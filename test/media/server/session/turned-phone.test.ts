/** A phone that is turned while it is live: its frames take another shape, and everything goes on. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Frame } from '../../../../src/shared/types.ts';
import { cutFrame, group } from '../../../support/lane.ts';
import { Publisher } from '../../../support/publisher.ts';
import { startServer, type TestServer, until } from '../../../support/server.ts';
import { complaints, probe } from '../../../support/video.ts';
import { Watcher } from '../../../support/viewer.ts';

const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0;
const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-turned-'));
let server: TestServer;
let lying: Frame;
let upright: Frame;
beforeAll(async () => {
  lying = await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 640, 480);
  upright = await cutFrame(group, { left: 1480, top: 90, width: 345, height: 460 }, 480, 640);
  server = await startServer({ pipeline: { budgetMs: 1000 }, recording: { dir: folder } });
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

test.runIf(hasFfmpeg)(
  'viewers, framing and a recording go on, there and back',
  async () => {
    const publisher = new Publisher();
    publisher.play(lying, [lying.data], 10);
    expect((await publisher.whip(server.url, '?stream=phone')).status).toBe(201);
    const viewer = new Watcher();
    await until(async () => (await viewer.whep(server.url, 'phone')).status === 201, 'the stream', 20_000);
    await until(() => viewer.size === '640x480', 'pictures', 20_000);
    const session = server.sessions.named('phone')!;
    session.set({ framing: 'face', zoom: 1 });
    const recording = `${server.url}/api/sessions/${session.id}/recording`;
    expect((await fetch(recording, { method: 'POST' })).status).toBe(201);
    await until(() => session.stats.faces.length > 0, 'a face', 20_000);

    publisher.play(upright, [upright.data], 10);
    await until(() => viewer.size === '480x640', 'upright pictures at the viewer', 20_000);
    await until(() => session.stats.height === 640 && session.stats.faces.length > 0, 'the face in them', 20_000);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    publisher.play(lying, [lying.data], 10);
    await until(() => viewer.size === '640x480', 'lying pictures again', 20_000);
    await new Promise((resolve) => setTimeout(resolve, 1000));

    expect((await fetch(recording, { method: 'DELETE' })).status).toBe(200);
    const files = readdirSync(folder).map((file) => path.join(folder, file));
    expect(files.length).toBeGreaterThan(0);
    for (const file of files.filter((one) => existsSync(one) && !one.endsWith('.part'))) {
      expect(complaints(file)).toBe('');
      expect(probe(file).timesMs.length).toBeGreaterThan(5);
    }
    viewer.close();
    publisher.close();
  },
  120_000,
);
