import { spawn } from 'node:child_process';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { root } from '../../../../src/lib/package-root.ts';
import { openPeers } from '../../../../src/server/h264/peers.ts';
import type { ServerMessage, Verdict } from '../../../../src/shared/messages.ts';
import { killLane } from '../../../support/crashes.ts';
import { astronaut, readFrame } from '../../../support/lane.ts';
import { Publisher } from '../../../support/publisher.ts';
import { startServer, type TestServer, until } from '../../../support/server.ts';

let server: TestServer;
let publishers: Publisher[] = [];
const publisher = (layout?: 'sendrecv' | 'separate'): Publisher => {
  const one = new Publisher(layout);
  publishers.push(one);
  return one;
};

beforeAll(async () => {
  server = await startServer({
    limits: { sessions: 2 },
    webrtc: { connectTimeoutMs: 1500, lostTimeoutMs: 800, idleTimeoutMs: 1500 },
  });
});
afterEach(async () => {
  for (const one of publishers) one.close();
  publishers = [];
  server.sessions.close();
  await nothingLeft();
});
afterAll(() => server.stop());

test('the cause that limits a session is in /api/sessions and counted in the metrics', async () => {
  const camera = publisher();
  camera.play({ width: 320, height: 240 }, [new Uint8Array(320 * 240 * 1.5).fill(120)], 8);
  await camera.whip(server.url);
  const verdict = async () =>
    ((await (await fetch(`${server.url}/api/sessions`)).json()) as { verdict: Verdict }[])[0]?.verdict;
  await until(async () => (await verdict()) !== undefined, 'a session');
  const nothing = 'No picture has come yet.';
  expect(await verdict()).toEqual({ cause: 'good', text: nothing, said: { key: nothing } });
  await until(async () => (await verdict())?.cause !== 'good', 'a cause', 15_000);
  const { cause, text } = (await verdict())!;
  // A machine that others use meanwhile is a cause, too.
  expect(['camera', 'processor']).toContain(cause);
  expect(text).toMatch(/\d.*\.$/);
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  expect(metrics).toContain(`faceoff_verdict{cause="${cause}"} 1`);
  expect(metrics).toContain('faceoff_verdict{cause="memory"} 0');
});

/** The server's peers, the lanes' sessions and the registry are empty. */
async function nothingLeft(): Promise<void> {
  await until(
    () => openPeers() === 0 && server.pool.openSessions === 0 && server.sessions.size === 0,
    'every session to be gone',
  );
}

describe('a stream by WHIP', () => {
  test.each(['sendrecv', 'separate'] as const)('comes back on the same connection (%s)', async (layout) => {
    const camera = publisher(layout);
    camera.send(640, 480);
    const answer = await camera.whip(server.url);
    expect(answer.status).toBe(201);
    expect(answer.headers.get('content-type')).toBe('application/sdp');
    expect(await answer.text()).toContain('x-google-start-bitrate=4000');
    await until(() => camera.received.length > 5, 'pictures to come back');
    expect((await fetch(camera.location, { method: 'DELETE' })).status).toBe(200);
    await nothingLeft();
    expect((await fetch(camera.location, { method: 'DELETE' })).status).toBe(404);
  });

  test('follows a camera that changes its resolution, odd ones included', async () => {
    const camera = publisher();
    camera.send(640, 480);
    await camera.whip(server.url);
    for (const [width, height] of [
      [640, 480],
      [321, 241],
      [800, 600],
    ] as const) {
      camera.send(width, height);
      await until(() => {
        const last = camera.received.at(-1);
        return last?.width === width && last.height === height;
      }, `${width} x ${height} to come back`);
    }
  });
});

test('a second offer on the same socket renegotiates the same session', async () => {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/ws`);
  const answers: { session: string; sdp: string }[] = [];
  socket.on('message', (data) => {
    const message = JSON.parse(String(data)) as ServerMessage;
    if (message.type === 'answer') answers.push(message);
    if (message.type === 'candidate' && message.candidate)
      void camera.connection.addIceCandidate(message.candidate).catch(() => undefined);
  });
  await new Promise((resolve) => socket.once('open', resolve));
  const camera = publisher();
  camera.send(320, 240);
  for (const round of [1, 2]) {
    socket.send(JSON.stringify({ type: 'offer', sdp: await camera.offer() }));
    await until(() => answers.length === round, 'an answer');
    await camera.connection.setRemoteDescription({ type: 'answer', sdp: answers[round - 1]!.sdp });
    const before = camera.received.length;
    await until(() => camera.received.length > before + 5, 'pictures');
  }
  expect(answers[1]!.session).toBe(answers[0]!.session);
  expect(server.sessions.size).toBe(1);
  socket.close();
  await nothingLeft();
});

describe('a session ends and leaves nothing behind', () => {
  test('when its publisher goes away', async () => {
    const camera = publisher();
    camera.send(320, 240);
    await camera.whip(server.url);
    await until(() => camera.received.length > 0, 'pictures');
    camera.close();
    await nothingLeft();
  });

  test('when it never connects', async () => {
    const camera = publisher();
    const sdp = await camera.offer();
    const answer = await fetch(`${server.url}/whip`, {
      method: 'POST',
      headers: { 'content-type': 'application/sdp' },
      body: sdp.replace(/a=candidate.*\r\n/g, ''),
    });
    expect(answer.status).toBe(201);
    expect(server.sessions.size).toBe(1);
    await nothingLeft();
  });

  test('when no picture comes any more', async () => {
    const camera = publisher();
    camera.send(320, 240);
    await camera.whip(server.url);
    await until(() => camera.received.length > 0, 'pictures');
    camera.silence();
    // The encoder repeats its last picture for a while; a camera that is gone sends none.
    await until(() => server.sessions.size === 0, 'the idle session to end', 15_000);
    await nothingLeft();
  });
});

test.each(['SIGSTOP', 'SIGKILL'] as const)(
  'a session whose network is gone without a word ends within its time-outs (%s)',
  async (signal) => {
    // Pictures may stay away for as long as they like here, so that it is the lost connection that ends the session.
    const patient = await startServer({ webrtc: { lostTimeoutMs: 500, idleTimeoutMs: 600_000 } });
    const program = spawn('node', [path.join(root, 'test/support/frozen-publisher.mjs'), patient.url], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await new Promise((resolve) => program.stdout.once('data', resolve));
      expect(patient.sessions.size).toBe(1);
      program.kill(signal);
      await until(
        () => patient.sessions.size === 0 && patient.pool.openSessions === 0,
        'the lost session to end',
        40_000,
      );
      const next = publisher();
      next.send(320, 240);
      await next.whip(patient.url);
      await until(() => next.received.length > 0, 'the next session to work');
      next.close();
    } finally {
      program.kill('SIGKILL');
      await patient.stop();
    }
  },
  60_000,
);

test('a session beyond the limit is told to come back later, and is accepted once there is room', async () => {
  const cameras = [publisher(), publisher(), publisher()];
  for (const camera of cameras) camera.send(320, 240);
  await cameras[0]!.whip(server.url);
  await cameras[1]!.whip(server.url);
  const refused = await cameras[2]!.whip(server.url);
  expect(refused.status).toBe(503);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(((await refused.json()) as { code: string }).code).toBe('server_full');
  await fetch(cameras[0]!.location, { method: 'DELETE' });
  const again = publisher();
  again.send(320, 240);
  expect((await again.whip(server.url)).status).toBe(201);
});

test('a worker that dies is replaced and its sessions continue', async () => {
  const camera = publisher();
  camera.send(320, 240);
  await camera.whip(server.url);
  await until(() => camera.received.length > 3, 'pictures');
  await killLane();
  const before = camera.received.length;
  await until(() => camera.received.length > before + 10, 'pictures after the worker died', 20_000);
  expect(server.sessions.size).toBe(1);
});

test('sessions one after another leave handles where they were', async () => {
  const handles = (): number => process.getActiveResourcesInfo().filter((name) => name !== 'Immediate').length;
  // A face, so that a session begins as soon as it can, and is swapped.
  const { width, height, data } = await readFrame(astronaut);
  const round = async (): Promise<void> => {
    const camera = new Publisher();
    camera.play({ width, height }, [data], 30);
    await camera.whip(server.url);
    await until(() => camera.received.length > 0, 'a picture');
    await fetch(camera.location, { method: 'DELETE' });
    camera.close();
  };
  // The library's own pools fill up with the first ones.
  for (let i = 0; i < 10; i++) await round();
  await nothingLeft();
  const before = { rss: process.memoryUsage.rss() / 2 ** 20, handles: handles() };
  for (let i = 0; i < 40; i++) await round();
  await nothingLeft();
  const after = { rss: process.memoryUsage.rss() / 2 ** 20, handles: handles() };
  console.log(
    `memory ${before.rss.toFixed(0)} → ${after.rss.toFixed(0)} MiB, handles ${before.handles} → ${after.handles}`,
  );
  expect(after.handles).toBeLessThanOrEqual(before.handles + 3);
}, 180_000);
