/** Recordings of live sessions: a real publisher, a real ffmpeg, files looked at with ffprobe. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { RecordingInfo, RecordingState, SessionStats } from '../../../../src/shared/messages.ts';
import { type EchoServer, startEcho } from '../../../support/echo.ts';
import { xmpBoxOf } from '../../../support/provenance.ts';
import { Publisher } from '../../../support/publisher.ts';
import { until } from '../../../support/server.ts';
import { brightAndLoud, complaints, pictureAt, pictureCount, probe } from '../../../support/video.ts';

const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0;
const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-recordings-'));
let server: EchoServer;
let publishers: Publisher[] = [];

beforeAll(async () => {
  server = await startEcho({ recording: { dir: path.join(folder, 'all'), minFreeMb: 0 } });
});
afterEach(async () => {
  server.pool.result = 'passed';
  for (const one of publishers) one.close();
  publishers = [];
  server.sessions.close();
});
afterAll(async () => {
  await server.close();
  if (!process.env.KEEPREC) rmSync(folder, { recursive: true, force: true });
  else console.log(folder);
});

/** A publisher whose pictures come back. @returns the address of its session. */
async function publish(query = '', width = 320, height = 240, to = server): Promise<[string, Publisher]> {
  const one = new Publisher();
  publishers.push(one);
  one.send(width, height);
  expect((await one.whip(to.url, query)).status).toBe(201);
  await until(() => one.received.length > 0, 'pictures to come back');
  return [`${to.url}/api/sessions/${one.location.split('/').at(-1)}`, one];
}

async function ask<T = RecordingState & { code?: string }>(method: string, url: string): Promise<[number, T]> {
  const answer = await fetch(url, { method });
  return [answer.status, (await answer.json()) as T];
}

const recorded = (state: RecordingState, n = 0): string => path.join(state.folder, state.files[n]!);
const framesOf = async (session: string): Promise<number> => (await ask('GET', `${session}/recording`))[1].frames;
/** Waits until so many pictures are in the recording. */
const recordFrames = (session: string, count: number): Promise<void> =>
  until(async () => (await framesOf(session)) >= count, `${count} pictures to be recorded`, 20_000);

describe.runIf(hasFfmpeg)('a recording', () => {
  test.each([
    ['webm', 'vp8'],
    ['mp4', 'h264'],
  ])('as %s holds the pictures at the times they were shown, and its disclosure', async (format, codec) => {
    const [session, publisher] = await publish(`?stream=stage-${format}`);
    expect((await ask('POST', `${session}/recording?format=${format}`))[0]).toBe(201);
    await recordFrames(session, 15);
    publisher.silence();
    await setTimeout(1000);
    const before = await framesOf(session);
    publisher.send(320, 240);
    await recordFrames(session, before + 15);
    const [, during] = await ask('GET', `${session}/recording`);
    expect(during).toMatchObject({ active: true, files: [], error: null });
    expect(during.frames).toBeGreaterThan(10);
    const [listed] = (await (await fetch(`${server.url}/api/sessions`)).json()) as { recording: RecordingState }[];
    expect(listed!.recording.active).toBe(true);
    const [status, state] = await ask('DELETE', `${session}/recording`);
    expect([status, state.active, state.error]).toEqual([200, false, null]);
    expect(state.files).toHaveLength(1);
    expect(state.files[0]).toMatch(new RegExp(`^\\d{4}-\\d\\d-\\d\\d_[\\d-]{8}-stage-${format}\\.${format}$`));

    const video = probe(recorded(state));
    expect(video).toMatchObject({ width: 320, height: 240, codec, sound: null });
    expect(video.comment).toMatch(/^AI-modified/);
    expect(video.timesMs.length).toBe(state.frames);
    // By far the longest gap between two pictures is where the publisher sent none.
    const times = video.timesMs.toSorted((a, b) => a - b);
    const gapsMs = times.slice(1).map((atMs, n) => atMs - times[n]!);
    expect(Math.min(...gapsMs)).toBeGreaterThan(0);
    const longest = gapsMs.indexOf(Math.max(...gapsMs));
    console.log(
      `${state.lastedMs} ms were recorded, ${Math.round(times.at(-1)! - times[0]!)} ms play; a pause of 1000 ms plays ${Math.round(gapsMs[longest]!)} ms`,
    );
    expect([before - 2, before - 1, before]).toContain(longest);
    expect(complaints(recorded(state))).toBe('');
    // The publisher's bluish picture, in the colours it had.
    const { data } = pictureAt(recorded(state), video, 1000);
    expect(data[320 * 200 + 160]).toBeGreaterThan(110);
    expect(data[320 * 240 + 160 * 60 + 80]).toBeGreaterThan(155);
    expect(readdirSync(state.folder).filter((name) => name.startsWith('.'))).toEqual([]);
    if (format === 'mp4') expect(xmpBoxOf(recorded(state))).toBeNull();
  });

  test('as mp4 says in its XMP that a face was swapped, and plays', async () => {
    server.pool.result = 'swapped';
    const [session] = await publish('?stream=swapped');
    expect((await ask('POST', `${session}/recording?format=mp4`))[0]).toBe(201);
    await recordFrames(session, 15);
    const [, state] = await ask('DELETE', `${session}/recording`);
    expect(state.error).toBeNull();
    expect(xmpBoxOf(recorded(state))).toContain('compositeWithTrainedAlgorithmicMedia');
    expect(probe(recorded(state)).timesMs.length).toBe(state.frames);
    expect(complaints(recorded(state))).toBe('');
    expect(statSync(recorded(state)).size).toBe(state.bytes);
  });

  /**
   * A publisher whose picture is bright, and whose microphone loud, for a quarter of a second in every second.
   * @returns the address of its session, and how often it clapped so far.
   */
  async function clap(stream: string, publisher = new Publisher()): Promise<[string, () => number]> {
    publishers.push(publisher);
    let claps = 0;
    let wasOn = false;
    const isOn = (): boolean => {
      const isNow = performance.now() % 1000 < 250;
      if (isNow && !wasOn) claps++;
      wasOn = isNow;
      return isNow;
    };
    publisher.hum(isOn);
    const [width, height] = [160, 120];
    const picture = (luma: number): Uint8Array =>
      new Uint8Array(1.5 * width * height).fill(luma, 0, width * height).fill(128, width * height);
    publisher.play({ width, height }, [picture(40), picture(200)], 30, () => (isOn() ? 1 : 0));
    expect((await publisher.whip(server.url, `?stream=${stream}`)).status).toBe(201);
    await until(() => publisher.received.length > 30, 'pictures to come back');
    return [`${server.url}/api/sessions/${publisher.location.split('/').at(-1)}`, () => claps];
  }

  test.each([
    ['webm', 'opus'],
    ['mp4', 'aac'],
  ])('as %s holds the sound, in step with the pictures', async (format, codec) => {
    const [session, claps] = await clap(`clap-${format}`);
    await ask('POST', `${session}/recording?format=${format}`);
    const before = claps();
    await until(() => claps() > before + 8, 'eight claps', 30_000);
    const [, state] = await ask('DELETE', `${session}/recording`);
    expect([state.files.length, state.error]).toEqual([1, null]);
    expect(probe(recorded(state)).sound).toBe(codec);
    expect(complaints(recorded(state))).toBe('');
    const { bright, loud } = brightAndLoud(recorded(state));
    // The recording may end within the last clap.
    const flashesMs = bright
      .flatMap(([atMs, share], n) => (share > 0.5 && (bright[n - 1]?.[1] ?? 1) <= 0.5 ? [atMs] : []))
      .slice(0, -1);
    const bangsMs = loud.flatMap((level, n) => (level > 0.05 && (loud[n - 1] ?? 1) <= 0.05 ? [10 * n] : []));
    // The bang nearest to each flash: one after the other, none twice.
    const nearest = flashesMs.map((flash) =>
      bangsMs.reduce((best, bang, n) => (Math.abs(bang - flash) < Math.abs(bangsMs[best]! - flash) ? n : best), 0),
    );
    const apartMs = flashesMs.map((flash, n) => Math.round(bangsMs[nearest[n]!]! - flash));
    console.log(`sound behind the picture, ms: ${apartMs.join(' ')}`);
    expect(flashesMs.length).toBeGreaterThan(3);
    expect(nearest).toEqual(nearest.map((_, n) => nearest[0]! + n));
  });

  test('whose microphone is unplugged continues in silence', async () => {
    const publisher = new Publisher();
    const [session] = await clap('unplugged', publisher);
    await ask('POST', `${session}/recording`);
    await recordFrames(session, 30);
    publisher.unplug();
    const before = await framesOf(session);
    await recordFrames(session, before + 60);
    const [, state] = await ask('DELETE', `${session}/recording`);
    expect([state.files.length, state.error]).toEqual([1, null]);
    const { timesMs } = probe(recorded(state));
    expect(timesMs.length).toBeGreaterThanOrEqual(before + 60);
    expect(complaints(recorded(state))).toBe('');
  });

  test('stays one file while the picture gets smaller and turns, and begins another one for a larger picture', async () => {
    const [session, publisher] = await publish('?stream=sizes');
    await ask('POST', `${session}/recording`);
    await recordFrames(session, 10);
    for (const [width, height] of [
      [200, 151],
      [160, 120],
      [240, 320],
    ] as const) {
      publisher.send(width, height);
      await until(async () => {
        const [found] = (await ask<SessionStats[]>('GET', `${server.url}/api/sessions`))[1];
        return found!.width === width;
      }, 'the size');
      await recordFrames(session, (await framesOf(session)) + 10);
    }
    expect((await ask('GET', `${session}/recording`))[1].files).toEqual([]);
    publisher.send(640, 480);
    await until(async () => (await ask('GET', `${session}/recording`))[1].files.length === 1, 'the first file');
    await recordFrames(session, (await framesOf(session)) + 10);
    const [, state] = await ask('DELETE', `${session}/recording`);
    const sizes = state.files.map((_, n) => probe(recorded(state, n))).map(({ width, height }) => [width, height]);
    expect(sizes[0]).toEqual([320, 240]);
    expect(sizes.at(-1)).toEqual([640, 480]);
    for (const [n] of sizes.entries()) expect(complaints(recorded(state, n))).toBe('');
  });

  test('is two files where the picture grows step by step, as on a network that gets faster', async () => {
    const [session, publisher] = await publish('?stream=steps', 160, 90);
    await ask('POST', `${session}/recording`);
    await recordFrames(session, 5);
    for (const width of [240, 320, 480, 640]) {
      publisher.send(width, (width * 9) / 16);
      await until(async () => {
        const [found] = (await ask<SessionStats[]>('GET', `${server.url}/api/sessions`))[1];
        return found!.width === width;
      }, 'the size');
    }
    await until(async () => (await ask('GET', `${session}/recording`))[1].files.length === 1, 'the first file');
    await recordFrames(session, (await framesOf(session)) + 10);
    const [, state] = await ask('DELETE', `${session}/recording`);
    expect(state.files.map((_, n) => probe(recorded(state, n)).width)).toEqual([160, 640]);
    for (const [n] of state.files.entries()) expect(complaints(recorded(state, n))).toBe('');
  });

  test('is finished when its session ends, and is listed, downloaded in parts and deleted', async () => {
    const [session, publisher] = await publish('?stream=short');
    await ask('POST', `${session}/recording`);
    await recordFrames(session, 10);
    await fetch(publisher.location, { method: 'DELETE' });
    const listed = async () => (await ask<RecordingInfo[]>('GET', `${server.url}/api/recordings`))[1];
    await until(async () => (await listed()).some(({ file }) => file.includes('short')), 'the recording in the list');
    const info = (await listed()).find(({ file }) => file.includes('short'))!;
    const whole = await fetch(server.url + info.url);
    expect(whole.headers.get('content-type')).toBe('video/webm');
    expect(whole.headers.get('content-disposition')).toContain(info.file);
    expect(whole.headers.get('cross-origin-resource-policy')).toBe('same-origin');
    expect((await whole.arrayBuffer()).byteLength).toBe(info.bytes);
    const part = await fetch(server.url + info.url, { headers: { range: 'bytes=0-99' } });
    expect([part.status, (await part.arrayBuffer()).byteLength]).toEqual([206, 100]);
    expect((await fetch(server.url + info.url, { method: 'DELETE' })).status).toBe(204);
    expect((await fetch(server.url + info.url)).status).toBe(404);
  });

  test('is begun once by two requests at once, and cannot be ended before', async () => {
    const [session] = await publish();
    expect((await ask('DELETE', `${session}/recording`))[1].code).toBe('not_recording');
    expect((await ask('GET', `${session}/recording`))[1].code).toBe('not_recording');
    const both = await Promise.all([ask('POST', `${session}/recording`), ask('POST', `${session}/recording`)]);
    expect(both.map(([status]) => status).sort()).toEqual([201, 409]);
    expect((await ask('POST', `${session}/recording?format=avi`))[0]).toBe(400);
    expect((await ask('POST', `${server.url}/api/sessions/none/recording`))[1].code).toBe('unknown_session');
  });

  test.each(['..%2Fconfig.yaml', '.part-1-a.webm', 'none.webm', '%00.webm'])(
    'of no other file is reached as %s',
    async (name) => {
      writeFileSync(path.join(folder, 'all', '.part-1-a.webm'), 'not yet');
      for (const method of ['GET', 'DELETE']) {
        const [status] = await ask(method, `${server.url}/api/recordings/${name}`);
        expect([400, 404]).toContain(status);
      }
      expect(existsSync(path.join(folder, 'all', '.part-1-a.webm'))).toBe(true);
      rmSync(path.join(folder, 'all', '.part-1-a.webm'));
    },
  );
});

describe.runIf(hasFfmpeg)('an ffmpeg of a recording', () => {
  /** The one that this process started last. */
  function pid(): number {
    const list = spawnSync('ps', ['-o', 'pid=,comm=', '--ppid', String(process.pid)], { encoding: 'utf8' }).stdout;
    return Math.max(...[...list.matchAll(/(\d+) ffmpeg/g)].map(([, number]) => Number(number)));
  }

  test('that stands still costs the recording pictures, which are counted, and the session none', async () => {
    const [session, publisher] = await publish('?stream=slow', 640, 480);
    await ask('POST', `${session}/recording`);
    await until(async () => (await ask('GET', `${session}/recording`))[1].frames > 5, 'pictures to be recorded');
    const stopped = pid();
    process.kill(stopped, 'SIGSTOP');
    const seen = publisher.received.length;
    await until(() => publisher.received.length > seen + 30, 'pictures to go on');
    // For a moment there is room.
    expect((await ask('GET', `${session}/recording`))[1].dropped).toBe(0);
    await until(async () => (await ask('GET', `${session}/recording`))[1].dropped > 5, 'room to be used up', 15_000);
    process.kill(stopped, 'SIGCONT');
    const [, state] = await ask('DELETE', `${session}/recording`);
    expect(state.dropped).toBeGreaterThan(5);
    expect(state.error).toBeNull();
    expect(complaints(recorded(state))).toBe('');
  }, 60_000);

  test('that is killed ends the recording with an error, and its file is kept', async () => {
    const [session, publisher] = await publish('?stream=gone');
    const [, begun] = await ask('POST', `${session}/recording`);
    const part = (): string => readdirSync(begun.folder).find((name) => name.startsWith('.part-')) ?? '';
    await until(() => pictureCount(path.join(begun.folder, part())) > 5, 'pictures in the file', 20_000);
    process.kill(pid(), 'SIGKILL');
    await until(async () => !(await ask('GET', `${session}/recording`))[1].active, 'the recording to end');
    const [, state] = await ask('GET', `${session}/recording`);
    expect(state.error?.code).toBe('recording_failed');
    expect(probe(recorded(state)).timesMs.length).toBeGreaterThan(5);
    const seen = publisher.received.length;
    await until(() => publisher.received.length > seen + 5, 'pictures to go on');
    // And it can be begun anew.
    expect((await ask('POST', `${session}/recording`))[0]).toBe(201);
  });
});

describe.runIf(hasFfmpeg)('a lack of space ends a recording with an error, and nothing else', () => {
  /** Noise, so that there is something to write. */
  function noisy(publisher: Publisher, width: number, height: number): void {
    const size = (width * height * 3) / 2;
    const pictures = Array.from({ length: 8 }, () => Uint8Array.from({ length: size }, () => Math.random() * 256));
    publisher.play({ width, height }, pictures, 25);
  }

  async function recordUntilItEnds(to: EchoServer): Promise<RecordingState> {
    const [session, publisher] = await publish('', 320, 240, to);
    noisy(publisher, 320, 240);
    expect((await ask('POST', `${session}/recording`))[0]).toBe(201);
    await until(async () => !(await ask('GET', `${session}/recording`))[1].active, 'the recording to end', 25_000);
    const seen = publisher.received.length;
    await until(() => publisher.received.length > seen + 10, 'pictures to go on');
    return (await ask('GET', `${session}/recording`))[1];
  }

  test('where recordings have reached their limit', async () => {
    const dir = path.join(folder, 'share');
    const small = await startEcho({ recording: { dir, maxMb: 1, minFreeMb: 0 } });
    const state = await recordUntilItEnds(small);
    expect(state.error?.code).toBe('recordings_full');
    expect(state.error?.message).toContain('recording.maxMb');
    expect(complaints(recorded(state))).toBe('');
    expect(small.lines.find(({ msg }) => msg === 'recording ended early')).toMatchObject({ code: 'recordings_full' });
    const [status, refused] = await ask('POST', `${small.url}/api/sessions/${small.sessions.all()[0]!.id}/recording`);
    expect([status, refused.code]).toEqual([507, 'recordings_full']);
    await small.close();
  }, 60_000);

  test('where the disk is full', async (context) => {
    const dir = path.join(folder, 'disk');
    spawnSync('mkdir', [dir]);
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', dir]).status !== 0) context.skip();
    const full = await startEcho({ recording: { dir, minFreeMb: 0 } });
    try {
      const state = await recordUntilItEnds(full);
      expect(state.error?.code).toBe('disk_full');
      expect(state.error?.message).toContain('recording.dir');
      expect(probe(recorded(state)).timesMs.length).toBeGreaterThan(10);
    } finally {
      await full.close();
      spawnSync('umount', [dir]);
    }
  }, 60_000);

  test('before it begins, where less is free than must stay free', async () => {
    const full = await startEcho({ recording: { dir: path.join(folder, 'free'), minFreeMb: 90_000_000 } });
    const [session] = await publish('', 320, 240, full);
    expect((await ask('POST', `${session}/recording`))[1].code).toBe('disk_full');
    await full.close();
  });
});

test('without ffmpeg a recording is refused with what to do, and the session goes on', async () => {
  const { PATH } = process.env;
  // Encoders that were found once stay found: a server that never looked for them.
  vi.resetModules();
  const { startEcho: startBare } = await import('../../../support/echo.ts');
  const bare = await startBare({ recording: { dir: path.join(folder, 'bare'), minFreeMb: 0 } });
  try {
    process.env.PATH = '/nowhere';
    const [session, publisher] = await publish('', 320, 240, bare);
    const [status, refused] = await ask('POST', `${session}/recording`);
    expect([status, refused.code]).toEqual([503, 'no_ffmpeg']);
    const seen = publisher.received.length;
    await until(() => publisher.received.length > seen + 5, 'pictures to go on');
  } finally {
    process.env.PATH = PATH;
    await bare.close();
  }
});

describe('a snapshot', () => {
  test('is the picture that is shown, with its disclosure where a face was swapped', async () => {
    const [session] = await publish('', 322, 242);
    const unmodified = Buffer.from(await (await fetch(`${session}/snapshot.png`)).arrayBuffer());
    const { exif: noExif, xmp: noXmp } = await sharp(unmodified).metadata();
    expect([noExif, noXmp, unmodified.includes('c2pa')]).toEqual([undefined, undefined, false]);
    server.pool.result = 'swapped';
    await until(async () => {
      const now = Buffer.from(await (await fetch(`${session}/snapshot.png`)).arrayBuffer());
      return (await sharp(now).metadata()).xmp !== undefined;
    }, 'a swapped picture');
    const answer = await fetch(`${session}/snapshot.png`);
    expect(answer.headers.get('content-type')).toBe('image/png');
    expect(answer.headers.get('cross-origin-resource-policy')).toBe('same-origin');
    const png = sharp(Buffer.from(await answer.arrayBuffer()));
    const { width, height, exif, xmp } = await png.metadata();
    expect([width, height]).toEqual([322, 242]);
    expect(exif?.toString('latin1')).toContain('AI-modified');
    expect(xmp?.toString()).toContain('compositeWithTrainedAlgorithmicMedia');
    const { data, info } = await png.raw().toBuffer({ resolveWithObject: true });
    // Every row was converted, the last ones too.
    for (const y of [100, 241]) {
      const [red, , blue] = data.subarray(info.channels * (y * 322 + 100));
      expect(blue! - red!).toBeGreaterThan(60);
    }
  });

  test('of no session is refused', async () => {
    expect((await fetch(`${server.url}/api/sessions/none/snapshot.png`)).status).toBe(404);
  });
});
