import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { root } from '../src/root.ts';
import { writeClip } from './support/clip.ts';
import { astronaut, cutFrame, group } from './support/lane.ts';

const PART = { left: 1400, top: 130, width: 460, height: 345 };
const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-render-'));
const at = (name: string): string => path.join(folder, name);
let clip: string;

beforeAll(async () => {
  clip = writeClip(await cutFrame(group, PART, 321, 241), 4);
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  rmSync(path.dirname(clip), { recursive: true, force: true });
});

function render(input: string, output: string, options: string[] = [], env: Record<string, string> = {}) {
  const args = [path.join(root, 'dist/main.js'), 'render', '--quiet', '--source', astronaut, ...options, input, output];
  return spawnSync(process.execPath, args, { encoding: 'utf8', env: { ...process.env, ...env } });
}

test('a y4m clip keeps its size, rate and number of frames, and comes out the same each time', () => {
  for (const name of ['a.y4m', 'b.y4m']) expect(render(clip, at(name)).stderr).toBe('');
  const [before, after] = [readFileSync(clip), readFileSync(at('a.y4m'))];
  expect(after.equals(readFileSync(at('b.y4m')))).toBe(true);
  expect(after.length).toBe(before.length);
  expect(after.subarray(0, 60).toString('latin1').split('\n')[0]).toBe(
    before.subarray(0, 60).toString('latin1').split('\n')[0],
  );
  // The upper left corner is far from the face; the middle is not.
  const start = after.indexOf('FRAME\n') + 6;
  expect(after.subarray(start, start + 60).equals(before.subarray(start, start + 60))).toBe(true);
  expect(after.equals(before)).toBe(false);
});

test.each(['png', 'jpg', 'webp'])('a picture comes out as %s', async (ending) => {
  expect(render(group, at(`out.${ending}`)).stderr).toBe('');
  const { width, format } = await sharp(at(`out.${ending}`)).metadata();
  expect(width).toBe(1600);
  expect(format).toBe(ending === 'jpg' ? 'jpeg' : ending);
});

describe('what cannot be rendered is said in a sentence and leaves no file', () => {
  const cases: [what: string, input: () => string, output: string, message: RegExp][] = [
    ['an input that is not there', () => at('nothing.y4m'), 'x.y4m', /does not exist/],
    ['a clip that is none', () => written('bad.y4m', 'hello\n'), 'x.y4m', /not a clip/],
    [
      'a clip that ends in the middle of a frame',
      () => written('cut.y4m', readFileSync(clip).subarray(0, 200_000)),
      'x.y4m',
      /ends in the middle of frame/,
    ],
    [
      'a clip of another picture format',
      () => written('444.y4m', 'YUV4MPEG2 W4 H4 F30:1 C444\nFRAME\n'),
      'x.y4m',
      /must be 8-bit 4:2:0/,
    ],
    ['a picture to a clip', () => group, 'x.mp4', /\.png, \.jpg or \.webp/],
  ];
  test.each(cases)('%s', (_what, input, output, message) => {
    const { status, stderr } = render(input(), at(output));
    expect(status).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(readdirSync(folder).filter((name) => name.startsWith('x.') || name.startsWith('.part-'))).toEqual([]);
  });

  test('a video where there is no ffmpeg', () => {
    const { status, stderr } = render(written('film.mp4', 'x'), at('film-out.mp4'), [], { PATH: folder });
    expect(status).toBe(1);
    expect(stderr).toMatch(/needs ffmpeg, which is not on the PATH/);
    expect(existsSync(at('film-out.mp4'))).toBe(false);
  });

  test('a source that shows several faces, until one is picked', () => {
    const args = [path.join(root, 'dist/main.js'), 'render', '--quiet', '--source', group, clip, at('y.y4m')];
    const refused = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(refused.stderr).toMatch(/3 faces in this picture.*Pick/);
    expect(spawnSync(process.execPath, [...args, '--pick', '1'], { encoding: 'utf8' }).status).toBe(0);
  });
});

function written(name: string, content: string | Uint8Array): string {
  writeFileSync(at(name), content);
  return at(name);
}
