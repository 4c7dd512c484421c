/** Clips as a whole: people that come into the picture, and what an older ffmpeg understands. */

import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { openClip } from '../../../src/media/clip-reader.ts';
import type { Frame } from '../../../src/shared/types.ts';
import { cutFrame, group } from '../../support/lane.ts';
import { at, clip, ffmpeg, PART, renderByProgram, run, written } from '../../support/render.ts';

vi.setConfig({ testTimeout: 120_000 });

const HEADER = 'YUV4MPEG2 W640 H240 F30:1 Ip A1:1 C420jpeg\n';
/** A picture beside another one, or beside nothing. */
function beside(left: Frame, right: Frame | null): Buffer {
  const planes = [
    [320, 240, 0],
    [160, 120, 320 * 240],
    [160, 120, 320 * 240 + 160 * 120],
  ] as const;
  const out: Buffer[] = [];
  for (const [width, height, from] of planes)
    for (let y = 0; y < height; y++)
      for (const one of [left, right])
        out.push(
          one === null
            ? Buffer.alloc(width, 128)
            : Buffer.from(one.data.subarray(from + y * width, from + (y + 1) * width)),
        );
  return Buffer.concat(out);
}

test('a second person is swapped from the first frame on that shows them', async () => {
  const [one, two] = [
    await cutFrame(group, PART, 320, 240),
    await cutFrame(group, { ...PART, left: 300, top: 300 }, 320, 240),
  ];
  const ENTERS = 7;
  const frames = Array.from({ length: 12 }, (_, n) => beside(one, n < ENTERS ? null : two));
  const input = written(
    'enters.y4m',
    Buffer.concat([Buffer.from(HEADER), ...frames.flatMap((f) => [Buffer.from('FRAME\n'), f])]),
  );
  // The mark changes pixels on the right, too.
  const unmarked = {
    FACEOFF_DISCLOSURE_BADGE: 'false',
    FACEOFF_DISCLOSURE_ACKNOWLEDGED: 'true',
    FACEOFF_STORAGE_DIR: at('data'),
  };
  expect((await renderByProgram(input, at('enters-out.y4m'), unmarked)).stderr).toBe('');
  const changedOnTheRight: number[] = [];
  let n = 0;
  for await (const { data } of await openClip(at('enters-out.y4m'))) {
    let changed = 0;
    for (let y = 0; y < 240; y++)
      for (let x = 320; x < 640; x++) if (data[y * 640 + x] !== frames[n]![y * 640 + x]) changed++;
    changedOnTheRight.push(changed);
    n++;
  }
  expect(changedOnTheRight.slice(0, ENTERS)).toEqual(Array(ENTERS).fill(0));
  expect(Math.min(...changedOnTheRight.slice(ENTERS))).toBeGreaterThan(1000);
});

describe.skipIf(ffmpeg('-version').status !== 0)('an ffmpeg before 5.1 (needs ffmpeg)', () => {
  /** The ffmpeg of this machine, which knows no `-fps_mode` and calls itself 4.4, as in Ubuntu 22.04. */
  function olderFfmpeg(): string {
    mkdirSync(at('older'), { recursive: true });
    const real = spawnSync('sh', ['-c', 'command -v ffmpeg'], { encoding: 'utf8' }).stdout.trim();
    const script = `#!/bin/sh
[ "$1" = -version ] && { echo 'ffmpeg version 4.4.2-0ubuntu0.22.04.1 Copyright (c) 2000-2021'; exit 0; }
for arg; do case "$arg" in -fps_mode*) echo "Unrecognized option 'fps_mode'." >&2; exit 1;; esac; done
exec ${real} "$@"
`;
    writeFileSync(at('older/ffmpeg'), script);
    chmodSync(at('older/ffmpeg'), 0o755);
    return `${at('older')}${path.delimiter}${process.env.PATH}`;
  }

  test('renders a video as well', async () => {
    const PATH = olderFfmpeg();
    expect(
      (
        await run(['-e', 'process.exit(require("child_process").spawnSync("ffmpeg", ["-fps_mode", "cfr"]).status)'], {
          PATH,
        })
      ).status,
    ).toBe(1);
    expect(ffmpeg('-i', clip, '-vf', 'scale=320:240', at('older.mp4')).status).toBe(0);
    expect(await renderByProgram(at('older.mp4'), at('older-out.mp4'), { PATH })).toEqual({ status: 0, stderr: '' });
    expect(ffmpeg('-i', at('older-out.mp4')).stderr).toMatch(/ 320x240/);
    const uneven = ['-vf', 'scale=320:240,setpts=(N+gte(N\\,2))/10/TB', '-fps_mode', 'vfr', at('uneven.mp4')];
    expect(ffmpeg('-i', clip, ...uneven).status).toBe(0);
    expect(await renderByProgram(at('uneven.mp4'), at('uneven-out.mp4'), { PATH })).toEqual({ status: 0, stderr: '' });
    const asked = ['-v', 'error', '-show_entries', 'packet=pts_time', '-of', 'csv=p=0'];
    const timesOf = (file: string): number[] =>
      spawnSync('ffprobe', [...asked, file], { encoding: 'utf8' })
        .stdout.split('\n')
        .flatMap((line) => (line === '' ? [] : [Math.round(100 * Number.parseFloat(line))]))
        .sort((a, b) => a - b);
    expect(timesOf(at('uneven.mp4'))).toEqual([0, 10, 30, 40]);
    expect(timesOf(at('uneven-out.mp4'))).toEqual(timesOf(at('uneven.mp4')));
  });
});
