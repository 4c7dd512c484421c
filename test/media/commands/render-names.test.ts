/** Names of clips, which ffmpeg would read in other ways, and what is refused before the work. */

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { Pool } from '../../../src/pipeline/pool/pool.ts';
import { at, clip, ffmpeg, folder, render, renderByProgram } from '../../support/render.ts';

const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0;

/** A size that H.264 can hold. */
const EVEN = ['-vf', 'scale=320:240'];

/** Runs with the tests' folder as the current one, so that names may be relative. */
async function inFolder<T>(work: () => Promise<T>): Promise<T> {
  const cwd = process.cwd();
  process.chdir(folder);
  return work().finally(() => process.chdir(cwd));
}

describe.skipIf(!hasFfmpeg)('a clip', () => {
  /** As many bytes as most file systems take. */
  const long = `${'é'.repeat(125)}x.mp4`;

  test.each([
    ['2024-05-01T12:30:00.mp4', 'a:b.mp4'],
    ['file:in.mp4', 'concat:out.mp4'],
    ['%03d.mp4', '%d.mp4'],
    [long, long.replace('x', 'y')],
  ])('named %s becomes %s', async (from, to) => {
    const sound = ['-f', 'lavfi', '-i', 'sine=d=0.2', '-shortest', ...EVEN];
    expect(ffmpeg('-i', clip, ...sound, `file:${at(from)}`).status).toBe(0);
    expect((await inFolder(() => render(from, to))).stderr).toBe('');
    expect(existsSync(at(to))).toBe(true);
    const { stderr } = ffmpeg('-i', `file:${at(to)}`);
    expect(stderr).toMatch(/Video: /);
    expect(stderr).toMatch(/Audio: /);
  });

  test('that would have a name of more than 255 bytes is refused in a sentence, and nothing is left', async () => {
    const before = readdirSync(folder);
    const { status, stderr } = await renderByProgram(clip, at(`x${long}`));
    expect(status).toBe(1);
    expect(stderr).toMatch(/255 bytes/);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(readdirSync(folder)).toEqual(before);
  });

  test('that is too long for a GIF is refused before a model is opened', async () => {
    const size = ['-vf', 'scale=1920:1080,loop=-1:1:0,setpts=N/30/TB', '-t', '8', '-preset', 'ultrafast'];
    expect(ffmpeg('-i', clip, '-an', ...size, at('large.mp4')).status).toBe(0);
    vi.mocked(Pool.start).mockClear();
    expect((await render(at('large.mp4'), at('too-long.gif'))).stderr).toMatch(/can have \d+ pictures here/);
    expect(Pool.start).not.toHaveBeenCalled();
    expect(readdirSync(folder).filter((name) => name.includes('too-long'))).toEqual([]);
  });

  test('is swapped into a file of the same sound, or of AAC where the file cannot hold it', async () => {
    const sound = ['-f', 'lavfi', '-i', 'sine=d=0.2', '-shortest', '-c:a', 'flac', ...EVEN];
    expect(ffmpeg('-i', clip, ...sound, at('flac.mkv')).status).toBe(0);
    for (const [ending, codec] of [
      ['mkv', /Audio: flac/],
      ['mp4', /Audio: aac/],
      ['mov', /Audio: aac/],
      ['webm', /Audio: (opus|vorbis)/],
    ] as const) {
      expect((await render(at('flac.mkv'), path.join(folder, `flac-out.${ending}`))).stderr).toBe('');
      expect(ffmpeg('-i', at(`flac-out.${ending}`)).stderr).toMatch(codec);
    }
  });
});
