/** Which inputs wait for their sender, what is shown of their addresses, and what is read at its own pace. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { checkInput, inputError, isFile } from '../../../../src/media/camera/camera-errors.ts';
import { kindOf, waitsForSender } from '../../../../src/media/camera/camera-source.ts';
import { liveArguments, shownName } from '../../../../src/media/camera/live-output.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-source-'));
const pipe = path.join(folder, 'pipe.ts');
const file = path.join(folder, 'a.mp4');
spawnSync('mkfifo', [pipe]);
writeFileSync(file, '');
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const { signal } = new AbortController();

describe('an input', () => {
  test.each([
    ['udp://239.0.0.1:5000', true],
    ['udp://@:5000', true],
    ['rtp://0.0.0.0:5004', true],
    ['srt://0.0.0.0:9000?latency=20&mode=listener', true],
    ['srt://127.0.0.1:9000', false],
    ['tcp://0.0.0.0:9000?listen=1', true],
    ['tcp://127.0.0.1:9000', false],
    ['rtsp://camera/1', false],
    ['-', true],
    ['pipe:0', true],
    [pipe, true],
    [file, false],
    ['/dev/video0', false],
  ])('waits without a limit where its sender comes when it likes: %s is %s', (name, waits) => {
    expect(waitsForSender(name)).toBe(waits);
  });

  test('that is the standard input or a pipe has an end', () => {
    for (const name of ['-', 'pipe:', '/dev/stdin', pipe]) expect(isFile(name), name).toBe(true);
    expect(() => checkInput('-')).not.toThrow();
  });

  test('is read at its own pace where it is stored, and as it comes where it is live', async () => {
    for (const stored of [file, `file:${file}`, 'https://a.invalid/film.mp4?x=1', 'http://a.invalid/live.m3u8'])
      expect((await kindOf(stored, signal)).isPaced, stored).toBe(true);
    for (const live of ['rtsps://c/1', 'rtmps://c/1', 'tcp://c:1', 'http://a.invalid/video', pipe, '-'])
      expect((await kindOf(live, signal)).isPaced, live).toBe(false);
  });

  test.each<[string, number, http.OutgoingHttpHeaders, boolean]>([
    ['/clip?id=7', 206, { 'content-type': 'video/mp4', 'content-range': 'bytes 0-0/9', 'content-length': 1 }, true],
    ['/clip?id=8', 200, { 'content-type': 'application/octet-stream', 'content-length': 9 }, true],
    ['/play?id=9', 200, { 'content-type': 'application/vnd.apple.mpegurl' }, true],
    ['/video', 200, { 'content-type': 'multipart/x-mixed-replace; boundary=f' }, false],
    ['/live.flv', 200, { 'content-type': 'video/x-flv' }, false],
    ['/live.mp4', 401, {}, true],
  ])('at an http address is what its server says: %s, %i', async (where, status, headers, isPaced) => {
    const server = http.createServer((request, reply) => {
      if (request.url === '/moved') {
        reply.writeHead(302, { location: where }).end();
        return;
      }
      reply.writeHead(status, headers).write('x');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = `http://me:secret@127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await kindOf(`${address}${where}`, signal)).toEqual({ isPaced, waits: false });
    if (status < 300) expect((await kindOf(`${address}/moved`, signal)).isPaced).toBe(isPaced);
    server.closeAllConnections();
    server.close();
  });

  test.each([
    ['rtsp://admin:secret@camera:554/1', 'rtsp://camera:554'],
    ['http://camera/cgi?user=a&password=secret', 'http://camera'],
    ['rtmp://host/live/secret', 'rtmp://host'],
    ['udp://@:5000?secret=1', 'udp://:5000'],
    ['/a/b.mp4', '/a/b.mp4'],
    ['C:b.mp4', 'C:b.mp4'],
  ])('is shown without passwords and keys: %s', (name, shown) => {
    expect(shownName(name)).toBe(shown);
    const said = `[tcp @ 0x562d923ea000] Failed\n${name}: Input/output error`;
    expect(inputError(name, { code: 1, said, isMissing: false }).message).toBe(
      `ffmpeg cannot read ${shown}: [tcp] Failed\n${shown}: Input/output error`,
    );
  });

  test('without pictures, and one that may not be read, are told as what they are', () => {
    const without = inputError('a.wav', {
      code: 1,
      said: 'Output file #0 does not contain any stream',
      isMissing: false,
    });
    expect(without.message).toBe('a.wav has no pictures, only sound or text.');
    const denied = inputError('a.mp4', { code: 1, said: 'a.mp4: Permission denied', isMissing: false });
    expect(denied.message).toBe('ffmpeg cannot read a.mp4: a.mp4: Permission denied');
  });
});

test('a stream with silence for its sound ends with its pictures', () => {
  expect(liveArguments('srt://a:1', '640x480', 30, false)).toContain('-shortest');
  expect(liveArguments('srt://a:1', '640x480', 30, true)).not.toContain('-shortest');
});
