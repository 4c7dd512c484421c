/** Frames of live and stored inputs: when they come, and how many, whatever the input's own times are. */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { readInput } from '../../../../src/media/camera/camera-input.ts';

const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const encode = (seconds: number, args: string[]): Buffer =>
  execFileSync('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', `testsrc=s=160x120:r=10:d=${seconds}`, ...args, '-']);
const portOf = (server: http.Server): number => (server.address() as AddressInfo).port;
const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-input-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What an input gives until its server closes the connection or `isEnough` says so. */
async function read(
  name: string,
  isEnough: (frames: number) => boolean = () => false,
): Promise<{ frames: number; pictures: number }> {
  const ending = new AbortController();
  let frames = 0;
  const pictures = new Set<string>();
  await readInput(
    { name, size: null, fps: 30, loop: false },
    ({ data }) => {
      frames++;
      pictures.add(Buffer.from(data).toString('latin1'));
      if (isEnough(frames)) ending.abort();
    },
    ending.signal,
  );
  return { frames, pictures: pictures.size };
}

describe.skipIf(process.platform === 'win32')('a camera', () => {
  const { PATH } = process.env;
  afterEach(() => {
    process.env.PATH = PATH;
  });

  // There is no camera here: in place of ffmpeg a script says what a camera has, keeps how it was asked, and gives a frame.
  test.each([
    ['Compressed: mjpeg : Motion-JPEG : 1280x720', true],
    ['Raw : yuyv422 : YUYV 4:2:2 : 1280x720', false],
  ])('that says "%s" is asked for MJPEG: %s', async (formats, isAsked) => {
    const asked = path.join(folder, 'asked');
    const script = `#!/bin/sh
case "$*" in
  *-list_formats*) echo '[video4linux2,v4l2 @ 0x1] ${formats}' >&2; exit 1;;
  *-version*) echo 'ffmpeg version 7.1'; exit 0;;
esac
echo "$*" > ${asked}
printf 'YUV4MPEG2 W2 H2 F30:1 C420jpeg\\nFRAME\\nabcdef'
`;
    writeFileSync(path.join(folder, 'ffmpeg'), script, { mode: 0o755 });
    process.env.PATH = `${folder}${path.delimiter}${PATH}`;
    expect((await read('/dev/video0')).frames).toBe(1);
    expect(readFileSync(asked, 'utf8').includes('-input_format mjpeg')).toBe(isAsked);
  });
});

describe.runIf(hasFfmpeg)('an input', () => {
  test('that is live whose times jump ahead gives each frame once', async () => {
    const jump = ['-vf', 'setpts=PTS+if(gte(N\\,20)\\,500/TB)', '-fps_mode', 'passthrough'];
    const stream = encode(4, [...jump, '-c:v', 'mjpeg', '-cluster_time_limit', '100', '-f', 'matroska']);
    const pipe = path.join(folder, 'jumps.mkv');
    spawnSync('mkfifo', [pipe]);
    const reading = read(pipe);
    const writer = await open(pipe, 'w');
    for (let at = 0; at < stream.length; at += Math.ceil(stream.length / 40)) {
      await writer.write(stream.subarray(at, at + Math.ceil(stream.length / 40)));
      await pause(50);
    }
    await writer.close();
    const { frames } = await reading;
    expect(frames).toBeGreaterThan(10);
    expect(frames).toBeLessThanOrEqual(40);
  }, 30_000);

  test('that is live gives a frame without waiting for the next', async () => {
    const y4m = encode(1, ['-pix_fmt', 'yuv420p', '-f', 'yuv4mpegpipe']);
    const pipe = path.join(folder, 'waits.y4m');
    spawnSync('mkfifo', [pipe]);
    const reading = read(pipe, (frames) => frames === 1);
    const writer = await open(pipe, 'w');
    await writer.write(y4m.subarray(0, y4m.indexOf('FRAME') + 6 + (160 * 120 * 3) / 2));
    expect((await reading).frames).toBe(1);
    await writer.close();
  }, 30_000);

  test('that is stored at an address without an ending is shown whole, at its pace', async () => {
    const clip = encode(2, ['-c:v', 'mpeg4', '-f', 'matroska']);
    const server = http.createServer((_request, reply) => {
      reply.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': clip.length }).end(clip);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { frames, pictures } = await read(`http://127.0.0.1:${portOf(server)}/download?id=7`);
    server.close();
    // 20 pictures, each shown three times as it has 10 a second.
    expect(frames).toBeGreaterThan(55);
    expect(pictures).toBe(20);
  }, 30_000);
});
