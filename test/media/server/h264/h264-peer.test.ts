import { rmSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { H264Libraries } from '../../../../src/server/h264/h264-packages.ts';
import { openPeers } from '../../../../src/server/h264/peers.ts';
import { type EchoServer, startEcho } from '../../../support/echo.ts';
import { cacheWithH264, type EncodedUnit, encodeH264, h264Libraries, whyNoH264 } from '../../../support/h264.ts';
import { Obs } from '../../../support/obs.ts';
import { until } from '../../../support/server.ts';

const why = whyNoH264();

/** A red picture with a moving bar; a keyframe every second. */
const red = (size: string, profile = 'high'): Promise<EncodedUnit[]> =>
  encodeH264(
    [
      '-f',
      'lavfi',
      '-i',
      `color=red:size=${size}:rate=30,drawbox=x=mod(t*60\\,80):w=20:h=20:color=white:t=fill`,
      '-t',
      '2',
    ],
    ['-g', '30', '-profile:v', profile, '-pix_fmt', 'yuv420p'],
  );

describe.skipIf(why !== null)(`a publisher in H.264${why === null ? '' : ` (skipped: ${why})`}`, () => {
  const cacheDir = cacheWithH264();
  let libraries: H264Libraries;
  let server: EchoServer;
  const clients: { close(): void }[] = [];
  const obs = (): Obs => {
    const one = new Obs(libraries);
    clients.push(one);
    return one;
  };

  beforeAll(async () => {
    libraries = await h264Libraries();
    server = await startEcho({ models: { cacheDir } });
  });
  afterEach(async () => {
    for (const one of clients.splice(0)) one.close();
    server.sessions.close();
    await until(() => openPeers() + server.pool.openSessions + server.sessions.size === 0, 'every session to be gone');
  });
  afterAll(async () => {
    await server.close();
    rmSync(cacheDir, { recursive: true, force: true });
  });

  test('as OBS is one is decoded whole, in its own colours', async () => {
    const publisher = obs();
    const answer = await publisher.whip(server.url, '?stream=obs');
    expect(answer.status).toBe(201);
    publisher.play(await red('640x360'), 30);
    const session = server.sessions.all()[0]!;
    await until(() => session.stats.fpsOut > 25, 'thirty pictures a second');
    expect(session.stats).toMatchObject({ width: 640, height: 360 });
    const { data } = session.picture!;
    const middle = 640 * 180 + 320;
    const chroma = 640 * 360 + 320 * 90 + 160;
    // Red in BT.601, limited range.
    expect(Math.abs(data[middle]! - 81)).toBeLessThan(6);
    expect(Math.abs(data[chroma]! - 90)).toBeLessThan(6);
    expect(Math.abs(data[chroma + 320 * 180]! - 240)).toBeLessThan(6);
  });
});
