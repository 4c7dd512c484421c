import { readFileSync } from 'node:fs';
import path from 'node:path';
import wrtc from '@roamhq/wrtc';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { root } from '../../../../src/lib/package-root.ts';
import { loudness } from '../../../../src/media/sound.ts';
import { PictureDecoder } from '../../../../src/server/h264/codec/picture-decoder.ts';
import type { H264Libraries } from '../../../../src/server/h264/h264-packages.ts';
import { openPeers } from '../../../../src/server/h264/peers.ts';
import { nalUnitsOf } from '../../../../src/server/rtp/h264-depacketizer.ts';
import { planesOf } from '../../../../src/shared/i420.ts';
import type { Frame } from '../../../../src/shared/types.ts';
import { type EchoServer, startEcho } from '../../../support/echo.ts';
import { cacheWithH264, type EncodedUnit, encodeH264, h264Libraries, whyNoH264 } from '../../../support/h264.ts';
import { H264Watcher } from '../../../support/h264-viewer.ts';
import { Obs } from '../../../support/obs.ts';
import { until } from '../../../support/server.ts';
import { Watcher } from '../../../support/viewer.ts';

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

/** Y, U and V in the middle of a picture. */
function middleOf({ width, height, data }: Frame): number[] {
  const { chromaWidth, chromaHeight, u, v } = planesOf({ width, height });
  const chroma = chromaWidth * (chromaHeight >> 1) + (chromaWidth >> 1);
  return [data[width * (height >> 1) + (width >> 1)]!, data[u + chroma]!, data[v + chroma]!];
}
/** Red in BT.601, limited range; coding changes a value a little. Unconverted BT.709 in full range is 54, 102, 255. */
const isRed = ([y = 0, u = 0, v = 0]: number[]): boolean =>
  Math.max(Math.abs(y - 81), Math.abs(u - 90), Math.abs(v - 240)) < 8;

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
    const webrtc = { announce: ['203.0.113.9'], lostTimeoutMs: 1000, idleTimeoutMs: 60_000 };
    server = await startEcho({ models: { cacheDir }, webrtc });
  });
  afterEach(async () => {
    for (const one of clients.splice(0)) one.close();
    server.sessions.close();
    await until(() => openPeers() + server.pool.openSessions + server.sessions.size === 0, 'every session to be gone');
  });
  afterAll(async () => {
    await server.close();
  });

  test('as OBS is one is decoded whole, in its own colours', async () => {
    const publisher = obs();
    const answer = await publisher.whip(server.url, '?stream=obs');
    expect(answer.status).toBe(201);
    expect(answer.headers.get('etag')).toMatch(/^"[\w+/]{4,}"$/);
    // It comes first, for clients that try no other.
    expect((await answer.clone().text()).match(/^a=candidate:.*/m)![0]).toMatch(
      /1 UDP \d+ 203\.0\.113\.9 \d+ typ host/i,
    );
    publisher.play(await red('640x360'), 30);
    const session = server.sessions.all()[0]!;
    await until(() => session.stats.fpsOut > 20 && session.picture !== null, 'pictures');
    expect(session.stats).toMatchObject({ width: 640, height: 360 });
    expect(session.stats.stagesMs.decode).toBeGreaterThan(0);
    expect(middleOf(session.picture!)).toSatisfy(isRed);
    expect(server.lines.filter(({ level }) => level > 30)).toEqual([]);
  });

  test.each(['baseline', 'main', 'high'])('is decoded in the profile %s', async (profile) => {
    const publisher = obs();
    expect((await publisher.whip(server.url)).status).toBe(201);
    publisher.play(await red('320x240', profile), 30);
    const session = server.sessions.all()[0]!;
    await until(() => session.picture?.width === 320, 'pictures');
    expect(middleOf(session.picture!)).toSatisfy(isRed);
  });

  test('in BT.709 and full range has the same colours', async () => {
    const scale = 'scale=out_color_matrix=bt709:out_range=full';
    const tags = ['-colorspace', 'bt709', '-color_range', 'pc', '-pix_fmt', 'yuvj420p'];
    const units = await encodeH264(['-f', 'lavfi', '-i', `color=red:size=320x240:rate=30,${scale}`, '-t', '1'], tags);
    const publisher = obs();
    expect((await publisher.whip(server.url)).status).toBe(201);
    publisher.play(units, 30);
    const session = server.sessions.all()[0]!;
    await until(() => session.picture?.width === 320, 'pictures');
    expect(middleOf(session.picture!)).toSatisfy(isRed);
  });

  test('changes the size of its pictures in the stream, odd sizes too', async () => {
    const sizes = ['320x240', '640x360', '322x242'];
    const publisher = obs();
    expect((await publisher.whip(server.url)).status).toBe(201);
    const session = server.sessions.all()[0]!;
    for (const size of sizes) {
      publisher.silence();
      publisher.play(await red(size), 30);
      await until(
        () => session.picture !== null && `${session.picture.width}x${session.picture.height}` === size,
        size,
      );
      const { width, height, data } = session.picture!;
      expect(data.length).toBe(width * height * 1.5);
    }
  });

  test('is heard and seen by viewers in VP8', async () => {
    const publisher = obs();
    expect((await publisher.whip(server.url, '?stream=hum')).status).toBe(201);
    publisher.play(await red('320x240'), 30);
    publisher.hum();
    const watcher = new Watcher();
    clients.push(watcher);
    const { receiver } = watcher.connection.addTransceiver('audio', { direction: 'recvonly' });
    const sink = new wrtc.nonstandard.RTCAudioSink(receiver.track);
    const heard: number[] = [];
    sink.ondata = (sound) => heard.push(loudness(sound));
    expect((await watcher.whep(server.url, 'hum')).status).toBe(201);
    await until(() => heard.filter((level) => level > 0.1).length > 50, 'sound');
    await until(() => watcher.received > 10, 'pictures');
    // A steady hum: nothing of it is missing once it has begun.
    const steady = heard.slice(heard.findIndex((level) => level > 0.1) + 20);
    expect(steady.filter((level) => level < 0.1).length).toBeLessThan(0.1 * steady.length + 2);
    sink.stop();
    await fetch(watcher.location, { method: 'DELETE' });
  });

  test('is watched in H.264: each viewer begins with a keyframe of its own', async () => {
    const publisher = obs();
    expect((await publisher.whip(server.url, '?stream=shared')).status).toBe(201);
    publisher.play(await red('320x240'), 30);
    const viewers: H264Watcher[] = [];
    for (let i = 0; i < 3; i++) {
      const viewer = new H264Watcher(libraries);
      viewers.push(viewer);
      clients.push(viewer);
      const answer = await viewer.whep(server.url, 'shared');
      expect(answer.status).toBe(201);
      await until(() => viewer.units.length > 10, 'pictures');
    }
    for (const { units } of viewers) {
      expect(units[0]!.isKeyframe).toBe(true);
      const decoder = new PictureDecoder(libraries.codec);
      let frame: Frame | null = null;
      for (const { data } of units) frame = await decoder.decode(data);
      expect([frame!.width, frame!.height]).toEqual([320, 240]);
      expect(middleOf(frame!)).toSatisfy(isRed);
      decoder.close();
    }
    const [first] = viewers;
    const keyframes = (): number => first!.units.filter(({ isKeyframe }) => isKeyframe).length;
    const before = keyframes();
    first!.requestKeyframe();
    await until(() => keyframes() > before, 'the keyframe that was asked for');
    await until(() => first!.messages.some(({ type }) => type === 'sender-report'), 'a report');
    for (const { location } of viewers) await fetch(location, { method: 'DELETE' });
  });

  test('that vanishes is noticed', async () => {
    const publisher = obs();
    expect((await publisher.whip(server.url)).status).toBe(201);
    publisher.play(await red('320x240'), 30);
    await until(() => server.sessions.all()[0]!.picture !== null, 'pictures');
    publisher.close();
    await until(() => server.sessions.size === 0, 'the session to end');
    expect(server.lines.at(-1)).toMatchObject({ msg: 'session closed', why: 'connection lost' });
  });

  test('cannot restart ICE, is told so, and ends by DELETE', async () => {
    const publisher = obs();
    const answer = await publisher.whip(server.url);
    const patch = (body: string) =>
      fetch(publisher.location, {
        method: 'PATCH',
        headers: { 'content-type': 'application/trickle-ice-sdpfrag', 'if-match': answer.headers.get('etag')! },
        body,
      });
    const restart = await patch('a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n');
    expect([restart.status, ((await restart.json()) as { code: string }).code]).toEqual([422, 'no_ice_restart']);
    const candidate = 'a=mid:0\r\na=candidate:1 1 udp 2130706431 192.0.2.77 9 typ host\r\n';
    expect((await patch(candidate)).status).toBe(204);
    expect((await fetch(publisher.location, { method: 'DELETE' })).status).toBe(200);
    await until(() => openPeers() === 0, 'the peer to be gone');
  });

  test.each([
    ['names that only its own network knows', '9b36eaac-bb2e-49bb-bb78-21c41c499900.local 61764 typ host'],
    ['addresses that lead nowhere', '192.0.2.200 61764 typ host'],
    ['IPv6 addresses that lead nowhere', '2001:db8::9 61764 typ host'],
  ])('with candidates that are %s is answered at once, and connects', async (_what, place) => {
    const publisher = obs();
    const lines = [1, 2, 3].map((n) => `a=candidate:${n} 1 UDP ${2_114_977_791 - n} ${place}\r\n`).join('');
    const answer = await fetch(`${server.url}/whip`, {
      method: 'POST',
      headers: { 'content-type': 'application/sdp' },
      body: `${publisher.offer()}${lines}`,
      // Gathering candidates takes two seconds at most; looking names up would take longer.
      signal: AbortSignal.timeout(4000),
    });
    expect(answer.status).toBe(201);
    publisher.accept(await answer.text());
    publisher.play(await red('320x240'), 30);
    await until(() => server.sessions.all()[0]!.stats.width === 320, 'pictures');
  });

  test('whose parameter sets stand in its offer alone is decoded, too', async () => {
    const units = await red('320x240');
    const sets = nalUnitsOf(units[0]!).filter(([first]) => [7, 8].includes(first! & 31));
    const sprop = sets.map((set) => Buffer.from(set).toString('base64')).join(',');
    const bare = units.map((unit) =>
      Buffer.concat(
        nalUnitsOf(unit)
          .filter(([first]) => ![7, 8].includes(first! & 31))
          .flatMap((nal) => [Buffer.from([0, 0, 0, 1]), nal]),
      ),
    );
    const publisher = obs();
    const offer = publisher.offer().replace(/^(a=fmtp:96 .*)\r$/m, `$1;sprop-parameter-sets=${sprop}\r`);
    const answer = await fetch(`${server.url}/whip`, {
      method: 'POST',
      headers: { 'content-type': 'application/sdp' },
      body: offer,
    });
    publisher.accept(await answer.text());
    publisher.play(bare, 30);
    await until(() => server.sessions.all()[0]!.stats.width === 320, 'pictures');
  });
});

test('without the packages an offer in H.264 is refused with the command that fetches them', async () => {
  const server = await startEcho();
  const body = readFileSync(path.join(root, 'test/fixtures/offers/obs.sdp'), 'utf8').replace('AV1/90000', 'H264/90000');
  const answer = await fetch(`${server.url}/whip`, {
    method: 'POST',
    headers: { 'content-type': 'application/sdp' },
    body,
  });
  const { code, message } = (await answer.json()) as { code: string; message: string };
  await server.close();
  expect([answer.status, code]).toEqual([406, 'no_codec']);
  expect(message).toContain('npm run h264:install');
  expect(openPeers()).toBe(0);
});
