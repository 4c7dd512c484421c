/** `faceoff camera` as people start it, from files and streams into files and pipes: no virtual camera is needed. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { checkOutput, inputError, outputError } from '../../../src/media/camera/camera-errors.ts';
import { inputArguments, offersMjpeg, readInput } from '../../../src/media/camera/camera-input.ts';
import type { Frame } from '../../../src/shared/types.ts';
import { isSwappedIn, killCameras, patient, startCamera as start } from '../../support/camera-program.ts';
import { writeClip } from '../../support/clip.ts';
import { cutFrame, group } from '../../support/lane.ts';
import { Publisher } from '../../support/publisher.ts';
import { startProgram, until } from '../../support/server.ts';
import { complaints, pictureAt, probe } from '../../support/video.ts';

const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0;
const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-camera-'));
const out = (name: string): string => path.join(folder, name);
let person: Frame;
let clip: string;

beforeAll(async () => {
  person = await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 640, 480);
  clip = writeClip(person, 30);
});
afterEach(killCameras);
afterAll(() => {
  for (const one of [folder, path.dirname(clip)]) rmSync(one, { recursive: true, force: true });
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Mean difference to the camera's picture where the mark lies; a codec makes less than 10 of it. */
function markDifference({ data }: Pick<Frame, 'data'>): number {
  let sum = 0;
  for (let y = 14; y < 44; y++)
    for (let x = 440; x < 620; x++) sum += Math.abs(data[y * 640 + x]! - person.data[y * 640 + x]!);
  return sum / 30 / 180;
}

describe.runIf(hasFfmpeg)('faceoff camera', () => {
  test('writes a swapped file until Ctrl-C, which ends the file cleanly', async () => {
    const camera = start(['--input', clip, '--loop', '--output', out('looped.mp4')]);
    await until(() => camera.said().includes('writing 640x480'), 'the first picture', 30_000);
    await pause(2500);
    expect(await camera.stop()).toBe(0);
    expect(camera.said()).toMatch(/\d\d+ pictures written, \d+ left out/);
    // Longer than the clip's one second.
    expect(probe(out('looped.mp4')).timesMs.at(-1)).toBeGreaterThan(1000);
    expect(complaints(out('looped.mp4'))).toBe('');
    expect(await isSwappedIn(person, out('looped.mp4'), 1000)).toBe(true);
    expect(markDifference(pictureAt(out('looped.mp4'), probe(out('looped.mp4')), 1000))).toBeGreaterThan(30);
  }, 60_000);

  test('ends with its input file, at the size, rate and face asked for', async () => {
    const asked = ['--size', '320x180', '--fps', '10', '--face', 'none'];
    const camera = start(['--input', clip, ...asked, '--output', out('once.mkv')]);
    expect(await camera.ended).toBe(0);
    const { width, height, timesMs } = probe(out('once.mkv'));
    expect([width, height]).toEqual([320, 180]);
    // In the order in which they are shown, which is not that in which they are stored.
    const [, second, third] = timesMs.sort((a, b) => a - b);
    expect(third! - second!).toBe(100);
  }, 60_000);

  test('continues after its input was interrupted', async () => {
    // A camera on the network that breaks off in the middle, is away for a while, and is there again.
    const y4m = readFileSync(clip);
    const sockets = new Set<net.Socket>();
    const serve = (): net.Server =>
      net.createServer((socket) => {
        sockets.add(socket);
        socket.on('error', () => undefined);
        const header = y4m.subarray(0, y4m.indexOf('FRAME'));
        const frame = y4m.subarray(header.length, header.length + 6 + (640 * 480 * 3) / 2);
        socket.write(header);
        const timer = setInterval(() => socket.write(frame), 50);
        socket.once('close', () => clearInterval(timer));
      });
    const first = serve().listen(0, '127.0.0.1');
    await pause(100);
    const { port } = first.address() as net.AddressInfo;
    const camera = start(['--input', `tcp://127.0.0.1:${port}`, '--face', 'none', '--output', out('back.mkv')]);
    await until(() => camera.said().includes('writing'), 'the first picture', 30_000);
    await pause(500);
    for (const socket of sockets) socket.destroy();
    first.close();
    await until(() => camera.said().includes('Trying again'), 'the loss to be said');
    const second = serve().listen(port, '127.0.0.1');
    await until(() => camera.said().split('reading 640x480').length > 2, 'pictures again', 20_000);
    await pause(500);
    expect(await camera.stop()).toBe(0);
    for (const socket of sockets) socket.destroy();
    second.close();
    expect(complaints(out('back.mkv'))).toBe('');
  }, 60_000);

  test('does not fall behind a camera that sends MJPEG over HTTP', async () => {
    // The brightness of a picture counts tenths of seconds, left the tens of them and right the ones.
    const began = performance.now();
    const tenths = (): number => Math.floor((performance.now() - began) / 100);
    const side = (level: number) => ({
      create: { width: 160, height: 240, channels: 3 as const, background: { r: level, g: level, b: level } },
    });
    const pictureNow = (): Promise<Buffer> => {
      const [left, right] = [Math.floor(tenths() / 10), tenths() % 10].map((n) =>
        sharp(side(30 + 20 * n))
          .png()
          .toBuffer(),
      );
      return Promise.all([left!, right!]).then(([one, two]) =>
        sharp(one)
          .extend({ right: 160 })
          .composite([{ input: two, left: 160, top: 0 }])
          .jpeg()
          .toBuffer(),
      );
    };
    const server = http.createServer((_request, reply) => {
      reply.writeHead(200, { 'content-type': 'multipart/x-mixed-replace; boundary=frame' });
      const send = async (): Promise<void> => {
        const jpeg = await pictureNow();
        reply.write(`--frame\r\ncontent-type: image/jpeg\r\ncontent-length: ${jpeg.length}\r\n\r\n`);
        reply.write(jpeg);
        reply.write('\r\n');
      };
      const timer = setInterval(() => void send(), 50);
      reply.once('close', () => clearInterval(timer));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as net.AddressInfo;
    const lateMs: number[] = [];
    const enough = new AbortController();
    const seen = ({ width, height, data }: Frame): void => {
      const level = (x: number): number => Math.round(((data[(height / 2) * width + x]! - 16) / 0.859 - 30) / 20);
      lateMs.push(performance.now() - began - 100 * (10 * level(80) + level(240)));
      if (tenths() > 95) enough.abort();
    };
    const name = `http://127.0.0.1:${port}/video`;
    await readInput({ name, size: null, fps: 20, loop: false }, seen, enough.signal);
    server.closeAllConnections();
    server.close();
    const middle = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
    const [first, last] = [middle(lateMs.slice(0, 20)), middle(lateMs.slice(-20))];
    console.log(`pictures are ${Math.round(first)} ms late at first and ${Math.round(last)} ms at last`);
    expect(lateMs.length).toBeGreaterThan(60);
    expect(last - first).toBeLessThan(300);
  }, 60_000);

  test('says once that an input ends again and again, as a camera does that gives a picture at a time', async () => {
    const jpeg = await sharp({ create: { width: 160, height: 120, channels: 3, background: 'red' } })
      .jpeg()
      .toBuffer();
    let asked = 0;
    const server = http.createServer((_request, reply) => {
      asked++;
      reply.writeHead(200, { 'content-type': 'image/jpeg', 'content-length': jpeg.length }).end(jpeg);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as net.AddressInfo;
    const name = `http://me:secret@127.0.0.1:${port}/snapshot.jpg`;
    const camera = start(['--input', name, '--face', 'none', '--output', out('snapshots.mkv')]);
    await until(() => asked > 5, 'five pictures', 40_000);
    expect(await camera.stop()).toBe(0);
    server.close();
    expect(camera.said().split('Trying again')).toHaveLength(2);
    expect(camera.said()).not.toContain('secret');
  }, 60_000);

  test('opens an input again that falls silent with its socket open', async () => {
    const y4m = readFileSync(clip);
    const sockets = new Set<net.Socket>();
    const server = net.createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      const header = y4m.subarray(0, y4m.indexOf('FRAME'));
      const frame = y4m.subarray(header.length, header.length + 6 + (640 * 480 * 3) / 2);
      socket.write(header);
      // The first connection stops after a second.
      let left = sockets.size === 1 ? 20 : Number.POSITIVE_INFINITY;
      const timer = setInterval(() => left-- > 0 && socket.write(frame), 50);
      socket.once('close', () => clearInterval(timer));
    });
    server.listen(0, '127.0.0.1');
    await pause(100);
    const { port } = server.address() as net.AddressInfo;
    const camera = start(['--input', `tcp://127.0.0.1:${port}`, '--face', 'none', '--output', out('silent.mkv')]);
    await until(() => camera.said().includes('sends no pictures. Trying again'), 'the silence to be noticed', 40_000);
    await until(() => camera.said().split('reading 640x480').length > 2, 'pictures again', 20_000);
    expect(await camera.stop()).toBe(0);
    for (const socket of sockets) socket.destroy();
    server.close();
  }, 90_000);

  test('writes a server’s stream, waits for its publisher, and continues after a server restart', async () => {
    const token = 'a-token-that-nobody-guesses';
    const publish = async (url: string): Promise<Publisher> => {
      const one = new Publisher();
      one.play({ width: 640, height: 480 }, [person.data], 20);
      expect((await one.whip(url, '?stream=stage', { authorization: `Bearer ${token}` })).status).toBe(201);
      return one;
    };
    let program = await startProgram(['--set', `server.token=${token}`, ...patient]);
    const env = { ...process.env, FACEOFF_SERVER_TOKEN: token };
    const wrong = start(['--stream', 'stage', '--server', program.url, '--output', out('no.mkv')]);
    expect(await wrong.ended).toBe(1);
    expect(wrong.said()).toContain('FACEOFF_SERVER_TOKEN');

    const camera = start(['--stream', 'stage', '--server', program.url, '--output', out('stream.mkv')], env);
    await until(() => camera.said().includes('Nobody publishes stage'), 'the camera to wait', 20_000);
    let publisher = await publish(program.url);
    await until(() => camera.said().includes('writing 640x480'), 'pictures', 20_000);
    await pause(2500);
    program.child.kill('SIGKILL');
    publisher.close();
    await until(() => /cannot be reached|is lost/.test(camera.said()), 'the loss to be said', 30_000);
    program = await startProgram(['--port', new URL(program.url).port, '--set', `server.token=${token}`, ...patient]);
    publisher = await publish(program.url);
    await until(() => camera.said().split('reading 640x480').length > 2, 'pictures again', 30_000);
    await pause(500);
    expect(await camera.stop()).toBe(0);
    publisher.close();
    const headers = { authorization: `Bearer ${token}` };
    await until(async () => {
      const text = await (await fetch(`${program.url}/metrics`, { headers })).text();
      return /^faceoff_viewers 0$/m.test(text);
    }, 'the viewer to be gone');
    await program.stop();
    expect(await isSwappedIn(person, out('stream.mkv'), 2000)).toBe(true);
  }, 120_000);
});

describe('faceoff camera says what to do about', () => {
  test.each([
    ['no such camera', ['--input', '/dev/video99', '--output', 'x.mkv'], 'ls /dev/video'],
    ['no virtual camera', ['--input', 'package.json', '--output', '/dev/video97'], 'video_nr=97 card_label=FaceOff'],
    ['no such file', ['--input', 'none.mp4', '--output', 'x.mkv'], 'does not exist'],
    ['neither input nor stream', ['--output', 'x.mkv'], '--input and --stream'],
    ['both', ['--input', 'package.json', '--stream', 'a', '--output', 'x.mkv'], '--input and --stream'],
    ['an odd size', ['--input', 'package.json', '--size', 'big', '--output', 'x.mkv'], '1280x720'],
    ['no server', ['--stream', 'a', '--server', 'http://127.0.0.1:9', '--output', 'x.mkv'], 'cannot be reached'],
  ])('%s', async (_what, args, expected) => {
    const camera = start(args);
    expect(await camera.ended).toBe(1);
    expect(camera.said()).toContain(expected);
  });

  test('no ffmpeg', async () => {
    const camera = start(['--input', clip, '--output', out('x.mkv')], { ...process.env, PATH: '/nowhere' });
    expect(await camera.ended).toBe(1);
    expect(camera.said()).toContain('Install it');
  });

  test.each([
    ['/dev/video0: Device or resource busy', 'device_busy'],
    ['/dev/video0: Permission denied', 'device_denied'],
    ['ioctl(VIDIOC_QUERYCAP): Inappropriate ioctl for device', 'not_a_camera'],
    ['something else', 'input_failed'],
  ])('ffmpeg’s words of an input: %s', (said, code) => {
    expect(inputError('/dev/video0', { code: 1, said, isMissing: false }).code).toBe(code);
  });

  test.each([
    ['/dev/video10: Device or resource busy', 'device_busy'],
    ['ioctl(VIDIOC_G_FMT): Invalid argument', 'not_loopback'],
    ['something else', 'output_failed'],
  ])('ffmpeg’s words of an output: %s', (said, code) => {
    expect(outputError('/dev/video10', { code: 1, said, isMissing: false }).code).toBe(code);
  });

  test('an output that is no device needs no virtual camera', () => {
    expect(() => checkOutput('out.mp4')).not.toThrow();
    expect(() => checkOutput('/dev/video96')).toThrow('sudo modprobe v4l2loopback devices=1 video_nr=96');
  });
});

describe('ffmpeg is asked', () => {
  const asked = (name: string, isPaced: boolean, isCompressed = false): string =>
    inputArguments({ name, size: '1280x720', fps: 30, loop: false }, { isPaced, isCompressed }).join(' ');

  test('to read what is live as it comes, and what is stored ahead of its time', () => {
    expect(asked('package.json', true)).toMatch(/^-i file:\//);
    expect(asked('rtsp://camera/1', false)).toBe('-fflags nobuffer -i rtsp://camera/1');
  });

  test('for MJPEG where a camera has it', () => {
    expect(
      offersMjpeg('[video4linux2,v4l2 @ 0x1] Compressed:       mjpeg :          Motion-JPEG : 1280x720 640x480'),
    ).toBe(true);
    expect(offersMjpeg('[video4linux2,v4l2 @ 0x1] Raw       :     yuyv422 :           YUYV 4:2:2 : 640x480')).toBe(
      false,
    );
    expect(asked('/dev/video0', false, true)).toContain('-input_format mjpeg -framerate 30 -video_size 1280x720');
    expect(asked('/dev/video0', false)).not.toContain('mjpeg');
  });
});
