/** What surrounds the program fails while it runs: its clock, its console, its file descriptors. */

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { root } from '../../../src/lib/package-root.ts';
import { startEcho } from '../../support/echo.ts';
import { Publisher } from '../../support/publisher.ts';
import { type Program, startProgram, until } from '../../support/server.ts';
import { complaints, probe } from '../../support/video.ts';

const FACELESS = ['--set', 'swap.engine=none', '--set', 'recording.minFreeMb=0'];
const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0;
const left: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of left.splice(0).reverse()) await clean();
});

async function start(args: string[] = [], prefix: string[] = []): Promise<Program> {
  const server = await startProgram([...FACELESS, ...args], prefix);
  left.push(() => server.stop());
  return server;
}

async function publish({ url }: { url: string }): Promise<Publisher> {
  const camera = new Publisher();
  left.push(() => camera.close());
  camera.send(320, 240);
  expect((await camera.whip(url)).status).toBe(201);
  await morePictures(camera);
  return camera;
}

async function morePictures(camera: Publisher): Promise<void> {
  const before = camera.received.length;
  await until(() => camera.received.length > before + 10, 'further pictures', 20_000);
}

async function terminate({ child }: Program): Promise<number | string | null> {
  const ended = new Promise<number | string | null>((resolve) =>
    child.once('exit', (code, signal) => resolve(code ?? signal)),
  );
  child.kill('SIGTERM');
  return ended;
}

test.skipIf(!hasFfmpeg)(
  'a clock that jumps a year ahead and two back ends no session and breaks no recording',
  async () => {
    const clock = path.join(os.tmpdir(), `faceoff-clock-${process.pid}`);
    writeFileSync(clock, '0');
    const preload = pathToFileURL(path.join(root, 'test/support/clock.mjs')).href;
    const server = await start(
      ['--set', 'cache.cleanIntervalMs=1000'],
      ['env', `CLOCK_FILE=${clock}`, `NODE_OPTIONS=--import=${preload}`],
    );
    const camera = await publish(server);
    const session = `${server.url}/api/sessions/${camera.location.split('/').at(-1)}`;
    expect((await fetch(`${session}/recording`, { method: 'POST' })).status).toBe(201);
    const yearMs = 365 * 86_400_000;
    /** How far the program's clock is ahead of this one's, by the lines that a refused offer logs. */
    const aheadMs = async (): Promise<number> => {
      const before = server.said().length;
      await fetch(`${server.url}/whip`, {
        method: 'POST',
        headers: { 'content-type': 'application/sdp' },
        body: 'v=0',
      });
      await until(() => server.said().slice(before).includes('session closed'), 'a line in the log');
      return Number(/"time":(\d+)/.exec(server.said().slice(before))![1]) - Date.now();
    };
    const samplesAfter = async (atMs: number): Promise<{ atMs: number }[]> => {
      const answer = await fetch(`${server.url}/api/status/memory?since=${atMs}`);
      return ((await answer.json()) as { samples: { atMs: number }[] }).samples;
    };
    for (const offsetMs of [yearMs, -2 * yearMs]) {
      await until(async () => (await samplesAfter(0)).length > 0, 'a sample');
      const last = (await samplesAfter(0)).at(-1)!.atMs;
      writeFileSync(clock, String(offsetMs));
      await until(async () => Math.abs((await aheadMs()) - offsetMs) < 60_000, 'the clock to jump');
      await morePictures(camera);
      // Meanwhile the cache is swept, and a page that draws the machine's figures gets the next ones.
      await until(async () => (await samplesAfter(last)).length > 1, 'further samples');
    }
    const state = (await (await fetch(`${session}/recording`, { method: 'DELETE' })).json()) as {
      files: string[];
      lastedMs: number;
      error: unknown;
    };
    expect(state).toMatchObject({ files: [expect.any(String)], error: null });
    expect(state.lastedMs).toBeLessThan(60_000);
    const video = path.join(server.folder, 'recordings', state.files[0]!);
    const times = probe(video).timesMs;
    expect(Math.max(...times)).toBeLessThan(state.lastedMs + 1000);
    expect(complaints(video)).toBe('');
    await morePictures(camera);
    expect(server.said()).not.toMatch(/"level":[456]0.*(clock|cannot|lost)/);
    expect(await terminate(server)).toBe(0);
  },
);

test.skipIf(process.platform === 'win32')('a console that is closed costs its lines and nothing else', async () => {
  const server = await start();
  server.child.stdout!.destroy();
  server.child.stderr!.destroy();
  const camera = await publish(server);
  await fetch(camera.location, { method: 'DELETE' });
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  expect(await terminate(server)).toBe(0);
  const logs = path.join(server.folder, 'logs');
  const filed = readdirSync(logs).map((name) => readFileSync(path.join(logs, name), 'utf8'));
  expect(filed.join('')).toContain('session closed');
});

describe.skipIf(process.platform === 'win32')('few file descriptors', () => {
  test('cost further connections, not the streams that there are, and are free again', async () => {
    const server = await start(
      ['--set', 'limits.connectionsPerAddress=0', '--set', 'memory.intervalMs=100'],
      ['sh', '-c', 'ulimit -n 160 && exec "$@"', 'sh'],
    );
    const camera = await publish(server);
    const { hostname, port } = new URL(server.url);
    // A connection from before, over which a publisher asks.
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    left.push(() => agent.destroy());
    const whip = (offer: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const headers = { 'content-type': 'application/sdp', 'content-length': Buffer.byteLength(offer) };
        const asked = request({ hostname, port, path: '/whip', method: 'POST', headers, agent }, (answer) => {
          let text = '';
          answer.on('data', (piece: Buffer) => {
            text += piece.toString();
          });
          answer.once('end', () => resolve(`${answer.statusCode} ${text}`));
        });
        asked.once('error', reject).end(offer);
      });
    expect(await whip('nonsense')).toMatch(/^400 /);
    const sockets: Socket[] = [];
    left.push(() => sockets.forEach((socket) => void socket.destroy()));
    const open = (): Promise<void> =>
      new Promise((resolve) => {
        const socket = connect(Number(port), hostname);
        sockets.push(socket);
        socket
          .on('error', () => undefined)
          .once('connect', resolve)
          .once('close', () => resolve());
      });
    for (let n = 0; n < 200; n++) await open();
    await morePictures(camera);
    const refused = new Publisher();
    left.push(() => refused.close());
    expect(await whip(await refused.offer())).toMatch(/^503 .*server_full.*ulimit -n/);
    expect(server.said()).toContain('half of the file descriptors');
    for (const socket of sockets.splice(0)) socket.destroy();
    await until(async () => (await fetch(`${server.url}/healthz`).catch(() => null))?.status === 200, 'an answer');
    await morePictures(camera);
    await publish(server);
    expect(server.said()).not.toMatch(/Error|"level":50/);
    expect(await terminate(server)).toBe(0);
  });
});

test('short memory refuses further sessions in a sentence, and those that there are go on', async () => {
  const server = await startEcho({ memory: { rssLimitMb: 4096 } });
  left.push(() => server.close());
  const camera = await publish(server);
  // What this process uses is above the limit from now on.
  vi.spyOn(process.memoryUsage, 'rss').mockReturnValue(5 * 2 ** 30);
  left.push(() => vi.restoreAllMocks());
  const refused = new Publisher();
  left.push(() => refused.close());
  const answer = await refused.whip(server.url);
  expect(answer.status).toBe(503);
  expect(answer.headers.get('retry-after')).not.toBeNull();
  expect(await answer.json()).toMatchObject({
    code: 'server_full',
    message: expect.stringContaining('memory.rssLimitMb'),
  });
  await morePictures(camera);
});
