/** `faceoff detect` and `faceoff render` on files: encoded by ffmpeg, from a server, and what cannot be read. */

import { execFile, spawnSync } from 'node:child_process';
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { root } from '../../../src/lib/package-root.ts';
import { LEAST_SCORE } from '../../../src/watermark/mark-detector.ts';
import { astronaut, cutFrame, group } from '../../support/lane.ts';
import { TEST_KEY, testWatermark } from '../../support/watermark.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-detect-'));
const at = (name: string): string => path.join(folder, name);
/** Runs ffmpeg, and overwrites. */
const ffmpeg = (...args: string[]) => spawnSync('ffmpeg', ['-hide_banner', '-y', ...args]);
const [WIDTH, HEIGHT] = [1280, 720];

/** The program, with the test's key. */
function faceoff(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const all = [path.join(root, 'dist/main.js'), ...args, '--set', `storage.dir=${folder}`];
  return new Promise((resolve) => {
    execFile(process.execPath, all, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });
}

/** Writes 24 frames of a person who moves a little. */
async function writeClipOf(name: string, isMarked: boolean): Promise<void> {
  const watermark = await testWatermark();
  const parts = [Buffer.from(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F12:1 Ip A1:1 C420jpeg\n`)];
  for (let n = 0; n < 24; n++) {
    const frame = await cutFrame(group, { left: 1400 + 2 * n, top: 130, width: 460, height: 259 }, WIDTH, HEIGHT);
    if (isMarked) watermark.mark(frame);
    parts.push(Buffer.from('FRAME\n'), Buffer.from(frame.data));
  }
  writeFileSync(at(name), Buffer.concat(parts));
}

let web: Server;
const url = (): string => `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
beforeAll(async () => {
  writeFileSync(at('mark.key'), `${TEST_KEY}\n`);
  await writeClipOf('marked.y4m', true);
  await writeClipOf('plain.y4m', false);
  const encodings = {
    'vp8.webm': ['-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8', '-b:v', '500k', '-maxrate', '500k'],
    'h264.mp4': ['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '28', '-pix_fmt', 'yuv420p'],
  };
  for (const [ending, options] of Object.entries(encodings))
    for (const name of ['marked', 'plain'])
      expect(ffmpeg('-i', at(`${name}.y4m`), ...options, at(`${name}-${ending}`)).status).toBe(0);
  ffmpeg('-ss', '1', '-i', at('marked-vp8.webm'), '-frames:v', '1', at('shot.png'));
  web = createServer(({ url: asked }, reply) => {
    if (asked !== '/shot.png') reply.writeHead(404).end();
    else createReadStream(at('shot.png')).pipe(reply);
  });
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  await new Promise((resolve) => web.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

describe('faceoff detect', () => {
  test.each(['marked-vp8.webm', 'marked-h264.mp4', 'marked.y4m', 'shot.png'])(
    'finds the mark and its session in %s',
    async (name) => {
      const { code, out } = await faceoff('detect', at(name), '--json');
      expect(JSON.parse(out)).toMatchObject({ marked: true, session: 'c0ffee42', keyed: true, mirrored: false });
      expect(code).toBe(0);
    },
  );

  test.each(['plain-vp8.webm', 'plain-h264.mp4'])('finds none in %s', async (name) => {
    const { code, out } = await faceoff('detect', at(name), '--json');
    const { marked, score, session } = JSON.parse(out);
    expect({ marked, session }).toEqual({ marked: false, session: null });
    expect(score).toBeLessThan(LEAST_SCORE);
    expect(code).toBe(1);
  });

  test('says in a sentence what it found, of an address as well', async () => {
    const { code, out } = await faceoff('detect', `${url()}/shot.png`);
    expect(out).toMatch(/is marked as AI-modified by FaceOff .* session that begins with c0ffee42\./);
    expect(code).toBe(0);
  });

  test.each([
    ['a file that is not there', () => at('nothing.png'), /does not exist/],
    ['a folder', () => folder, /is not a file/],
    ['what is neither picture nor video', () => at('mark.key'), /./],
    ['an address that answers 404', () => `${url()}/other.png`, /cannot be fetched: the server answered 404/],
  ])('ends with 2 for %s', async (_what, source, why) => {
    const { code, out, err } = await faceoff('detect', source());
    expect(code).toBe(2);
    expect(err).toMatch(why);
    expect(out).toBe('');
  });
});

describe('faceoff render', () => {
  test('marks a picture that it swapped, with the session 0', async () => {
    const rendered = at('rendered.png');
    expect((await faceoff('render', '--quiet', '--source', astronaut, group, rendered)).err).toBe('');
    const { out } = await faceoff('detect', rendered, '--json');
    expect(JSON.parse(out)).toMatchObject({ marked: true, session: '00000000' });
    expect((await faceoff('detect', group)).code).toBe(1);
  });

  test('leaves a picture without a face unmarked', async () => {
    expect(ffmpeg('-f', 'lavfi', '-i', 'testsrc=640x480', '-frames:v', '1', at('bars.png')).status).toBe(0);
    await faceoff('render', '--quiet', '--source', astronaut, at('bars.png'), at('bars-out.png'));
    expect((await faceoff('detect', at('bars-out.png'))).code).toBe(1);
  });
});
