import { expect, test } from 'vitest';
import { parseStreams } from '../../../src/media/clip-probe.ts';

const said = (duration: string, rate: string): string =>
  `  Duration: ${duration}, start: 0.000000\n  Stream #0:0: Video: vp8, yuv420p, 640x480, ${rate} fps, 1k tbr, 1k tbn\n`;

test('the duration and the rates of a clip are read', () => {
  expect(parseStreams(said('00:01:02.50', '29.97'))).toMatchObject({ durationMs: 62_500, fps: 29.97, tickRate: 1000 });
});

test.each([
  ['1:01:..', '30'],
  ['N/A', '30'],
  ['00:00:01.00', '...'],
])('a figure that is none is not read: %s, %s fps', (duration, rate) => {
  const { durationMs, fps } = parseStreams(said(duration, rate));
  for (const value of [durationMs, fps]) expect(value === null || Number.isFinite(value)).toBe(true);
});
