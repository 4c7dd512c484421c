/** `faceoff camera` into other programs: an SRT listener, an RTMP server, and a second FaceOff by WHIP. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Frame } from '../../../src/shared/types.ts';
import { isSwappedIn, killCameras, patient, startCamera } from '../../support/camera-program.ts';
import { writeClip } from '../../support/clip.ts';
import { cacheWithH264, whyNoH264 } from '../../support/h264.ts';
import { cutFrame, group } from '../../support/lane.ts';
import { freePort } from '../../support/livekit.ts';
import { Publisher } from '../../support/publisher.ts';
import { startServer, type TestServer, until } from '../../support/server.ts';
import { complaints } from '../../support/video.ts';

const lists = (list: string): string[] =>
  (spawnSync('ffmpeg', [`-${list}`], { encoding: 'utf8' }).stdout ?? '').split(/\s+/);
const protocols = lists('protocols');
const hasX264 = lists('encoders').includes('libx264');
const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-outputs-'));
const out = (name: string): string => path.join(folder, name);
let person: Frame;
let clip: string;
let listeners: ChildProcess[] = [];

beforeAll(async () => {
  person = await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 640, 480);
  clip = writeClip(person, 30);
});
afterEach(() => {
  killCameras();
  for (const one of listeners) one.kill('SIGKILL');
  listeners = [];
});
afterAll(() => {
  for (const one of [folder, path.dirname(clip)]) rmSync(one, { recursive: true, force: true });
});

/** An ffmpeg that waits for a stream and stores it as it comes. Resolves when the stream is over. */
function store(input: string[], file: string): Promise<unknown> {
  const child = spawn('ffmpeg', ['-v', 'error', '-nostdin', ...input, '-c', 'copy', '-y', file], { stdio: 'ignore' });
  listeners.push(child);
  return new Promise((resolve) => child.once('close', resolve));
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const codecs = (file: string): string[] => {
  const { stdout } = spawnSync(
    'ffprobe',
    ['-v', 'error', '-show_entries', 'stream=codec_name', '-of', 'csv=p=0', file],
    {
      encoding: 'utf8',
    },
  );
  // A transport stream lists its streams once for itself and once for its programme.
  return [...new Set(stdout.trim().split(/\s+/))];
};

describe('faceoff camera sends what it swaps', () => {
  test.runIf(hasX264 && protocols.includes('srt'))(
    'by SRT to a listener, with silence as its sound',
    async () => {
      const port = await freePort();
      const stored = store(['-i', `srt://127.0.0.1:${port}?mode=listener`], out('srt.ts'));
      await pause(500);
      const camera = startCamera(['--input', clip, '--loop', '--output', `srt://127.0.0.1:${port}?streamid=secret`]);
      await until(() => camera.said().includes('writing 640x480'), 'the first picture', 30_000);
      await pause(4000);
      expect(await camera.stop()).toBe(0);
      await stored;
      expect(codecs(out('srt.ts'))).toEqual(['h264', 'aac']);
      expect(await isSwappedIn(person, out('srt.ts'), 1500)).toBe(true);
      expect(camera.said()).not.toContain('secret');
    },
    90_000,
  );

  test.runIf(hasX264 && protocols.includes('srt'))(
    'to a listener that goes and comes back, which is said once each',
    async () => {
      const port = await freePort();
      const listen = (file: string): Promise<unknown> => store(['-i', `srt://127.0.0.1:${port}?mode=listener`], file);
      const first = listen(out('first.ts'));
      await pause(500);
      const output = `srt://127.0.0.1:${port}`;
      const camera = startCamera(['--input', clip, '--loop', '--face', 'none', '--output', output]);
      await until(() => camera.said().includes('writing 640x480'), 'the first picture', 30_000);
      await pause(4000);
      listeners[0]!.kill('SIGKILL');
      await first;
      await until(() => camera.said().includes('Trying again'), 'the loss to be said', 20_000);
      // Some attempts.
      await pause(8000);
      const second = listen(out('second.ts'));
      await until(() => camera.said().split('writing 640x480').length > 2, 'the connection to be back', 30_000);
      expect(await camera.stop()).toBe(0);
      await second;
      expect(camera.said().split('Trying again')).toHaveLength(2);
      expect(camera.said().split('writing 640x480')).toHaveLength(3);
    },
    120_000,
  );

  test.runIf(hasX264 && protocols.includes('rtmp'))(
    "by RTMP, with the publisher's sound",
    async () => {
      const port = await freePort();
      // Guarded: however busy the machine is, nothing but the swapped face goes out.
      const server = await startServer({ pipeline: { budgetMs: 1000, guarded: true } });
      await server.pool.preload('astronaut');
      const publisher = new Publisher();
      publisher.hum();
      publisher.play({ width: 640, height: 480 }, [person.data], 10);
      expect((await publisher.whip(server.url, '?stream=stage')).status).toBe(201);
      const stored = store(['-listen', '1', '-i', `rtmp://127.0.0.1:${port}/live/secret`], out('rtmp.flv'));
      await pause(500);
      const output = `rtmp://127.0.0.1:${port}/live/secret`;
      const camera = startCamera(['--stream', 'stage', '--server', server.url, '--output', output]);
      await until(() => camera.said().includes('writing 640x480'), 'the first picture', 30_000);
      await pause(4000);
      expect(await camera.stop()).toBe(0);
      publisher.close();
      await stored;
      await server.stop();
      expect(codecs(out('rtmp.flv'))).toEqual(['h264', 'aac']);
      const volume = spawnSync('ffmpeg', ['-i', out('rtmp.flv'), '-af', 'volumedetect', '-f', 'null', '-'], {
        encoding: 'utf8',
      }).stderr;
      expect(Number(/max_volume: (\S+) dB/.exec(volume)?.[1])).toBeGreaterThan(-20);
      expect(await isSwappedIn(person, out('rtmp.flv'), 3500)).toBe(true);
      expect(camera.said()).not.toContain('secret');
    },
    90_000,
  );

  const toServer = async (server: TestServer, more: string[]): Promise<void> => {
    const output = `whip+${server.url}/whip?stream=guest`;
    const camera = startCamera(['--input', clip, '--loop', '--output', output, ...more]);
    await until(() => camera.said().includes('publishing to'), 'the connection', 30_000);
    const file = out(`whip-${server.url.split(':').at(-1)}.mkv`);
    const viewer = startCamera(['--stream', 'guest', '--server', server.url, '--output', file]);
    await until(() => viewer.said().includes('writing 640x480'), 'pictures at the second server', 30_000);
    await pause(3000);
    expect(await viewer.stop()).toBe(0);
    expect(await camera.stop()).toBe(0);
    expect(camera.said()).toMatch(/\d\d+ pictures written/);
    await until(() => server.sessions.size === 0, 'the session at the second server to be over');
    expect(complaints(file)).toBe('');
    expect(await isSwappedIn(person, file, 1500)).toBe(true);
  };

  test('by WHIP to a second FaceOff, which swaps nothing itself, in VP8', async () => {
    const server = await startServer({ swap: { engine: 'none' } });
    await toServer(server, ['--set', `models.cacheDir=${folder}`]);
    await server.stop();
  }, 90_000);

  test.runIf(whyNoH264() === null)(
    'by WHIP in H.264 where that is installed',
    async () => {
      const server = await startServer({ swap: { engine: 'none' }, models: { cacheDir: cacheWithH264() } });
      await toServer(server, ['--set', `models.cacheDir=${cacheWithH264()}`]);
      await server.stop();
    },
    90_000,
  );

  test.runIf(whyNoH264() === null)(
    'by WHIP in VP8 to a server without H.264',
    async () => {
      const server = await startServer({ swap: { engine: 'none' } });
      await toServer(server, ['--set', `models.cacheDir=${cacheWithH264()}`]);
      await server.stop();
    },
    90_000,
  );
});

describe('faceoff camera says what to do about', () => {
  test('a WHIP server whose token it does not have', async () => {
    const server = await startServer({ server: { token: 'a-token-that-nobody-guesses' } });
    const camera = startCamera(['--input', clip, '--loop', '--output', `whip+${server.url}/whip`, ...patient]);
    expect(await camera.ended).toBe(1);
    expect(camera.said()).toContain('FACEOFF_OUTPUT_TOKEN');
    await server.stop();
  }, 60_000);

  test.each([
    ['an address without a scheme of HTTP', 'whip+ftp://a/b', 'whip+https://'],
    ['nobody at the address', 'whip+http://127.0.0.1:9/whip?key=secret', 'cannot be reached'],
  ])(
    'WHIP: %s',
    async (_what, output, expected) => {
      const camera = startCamera(['--input', clip, '--loop', '--output', output]);
      expect(await camera.ended).toBe(1);
      expect(camera.said()).toContain(expected);
      expect(camera.said()).not.toContain('secret');
    },
    60_000,
  );

  test.runIf(!lists('muxers').includes('libndi_newtek'))('an ffmpeg without NDI', async () => {
    const camera = startCamera(['--input', clip, '--output', 'ndi://studio']);
    expect(await camera.ended).toBe(1);
    expect(camera.said()).toContain('This ffmpeg has no libndi_newtek (ffmpeg -muxers), which ndi://studio needs');
  });

  test.runIf(hasX264 && protocols.includes('rtmp'))(
    'an RTMP server that is not there',
    async () => {
      const camera = startCamera(['--input', clip, '--loop', '--output', 'rtmp://127.0.0.1:9/live/secret']);
      expect(await camera.ended).toBe(1);
      expect(camera.said()).toContain('ffmpeg cannot write rtmp://127.0.0.1:9');
      expect(camera.said()).not.toContain('secret');
    },
    60_000,
  );
});
