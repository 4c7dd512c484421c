import { expect, test } from 'vitest';
import { RollingStats } from '../../../../src/server/session/session-stats.ts';
import type { FrameResult, SwappedFrame } from '../../../../src/shared/types.ts';

const done = (result: FrameResult, waitMs = 1): SwappedFrame => ({
  frame: { width: 640, height: 480, data: new Uint8Array(0), receivedAtMs: 0 },
  result,
  waitMs,
  hold: false,
  faces: [],
  stagesMs: { swap: 2.345 },
  plan: 'lean',
  level: 1,
});

test('figures are those of the last seconds, counts those of the whole session', () => {
  let nowMs = 0;
  const stats = new RollingStats(() => nowMs);
  expect(stats.read('s')).toMatchObject({ fpsIn: 0, fpsOut: 0, frameMs: { p50: 0, p95: 0 }, plan: 'full', level: 0 });
  for (let i = 0; i < 300; i++) {
    nowMs += 50;
    stats.arrived(640, 480);
    // The first ten seconds are slow, which is long past at the end.
    if (i % 2 === 0) stats.done(done('swapped'), i < 200 ? 500 : i % 20 === 0 ? 30 : 10);
    else stats.count('dropped');
  }
  const figures = stats.read('s');
  expect(figures).toMatchObject({ session: 's', width: 640, height: 480, plan: 'lean', level: 1 });
  expect(figures.fpsIn).toBeCloseTo(20, 0);
  expect(figures.fpsOut).toBeCloseTo(10, 0);
  expect(figures.frameMs).toEqual({ p50: 10, p95: 30 });
  expect(figures.stagesMs).toEqual({ swap: 2.35 });
  expect([figures.swapped, figures.dropped, figures.passed, figures.failed]).toEqual([150, 150, 0, 0]);
  nowMs += 10_000;
  expect(stats.read('s')).toMatchObject({ fpsIn: 0, fpsOut: 0, swapped: 150 });
});

test('frames that were left out for want of time are a share of the last seconds, those the rate leaves out are not', () => {
  let nowMs = 0;
  const stats = new RollingStats(() => nowMs);
  expect(stats.missedShare).toBe(0);
  for (let i = 0; i < 80; i++) {
    nowMs += 25;
    if (i % 4 === 0) stats.miss();
    else if (i % 4 === 1) stats.count('dropped');
    else stats.done(done('swapped'), 10);
  }
  expect(stats.missedShare).toBeCloseTo(1 / 3, 2);
  expect(stats.last?.plan).toBe('lean');
  nowMs += 4000;
  expect(stats.missedShare).toBe(0);
});
