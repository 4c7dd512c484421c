import { expect, test } from 'vitest';
import { LoadMeter } from '../../../src/agent/load-meter.ts';
import { kbpsOf } from '../../../src/agent/swapped-track.ts';
import { MOST_BUSY } from '../../../src/shared/types.ts';

const observe = (meter: LoadMeter, lanes: number[], level = 0, swapMs: number | null = 8, times = 40): void => {
  for (let n = 0; n < times; n++) meter.observe({ swapMs, lanes }, level, 0);
};

test('the load is the lanes’ busy share of what may be planned with, smoothed', () => {
  const meter = new LoadMeter();
  expect(meter.load(0)).toBe(0);
  observe(meter, [MOST_BUSY, 0], 0, 8, 1);
  expect(meter.load(0)).toBeGreaterThan(0);
  expect(meter.load(0)).toBeLessThan(0.4);
  observe(meter, [MOST_BUSY, 0]);
  expect(meter.load(0)).toBeCloseTo(0.5, 3);
});

test('jobs that have not begun count by what a swap takes, and before it was measured by a quarter', () => {
  const meter = new LoadMeter();
  expect(meter.load(2)).toBe(0.5);
  observe(meter, [0, 0], 0, 8);
  expect(meter.jobShare).toBeCloseTo((30 * 8) / 1000 / 2 / MOST_BUSY, 6);
  expect(meter.load(2)).toBeCloseTo(2 * meter.jobShare, 6);
  expect(meter.load(100)).toBe(1);
});

test('what a job takes follows the jobs that run, and from the warm-up only while there is none', () => {
  const meter = new LoadMeter();
  observe(meter, [0], 0, 30);
  expect(meter.jobShare).toBeGreaterThan(1);
  for (let n = 0; n < 40; n++) meter.observe({ swapMs: 30, lanes: [0.4] }, 0, 4);
  expect(meter.jobShare).toBeCloseTo(0.4 / 4 / MOST_BUSY, 3);
  for (let n = 0; n < 60; n++) meter.observe({ swapMs: 30, lanes: [0] }, 0, 4);
  expect(meter.jobShare).toBeCloseTo(0.01, 3);
});

test('each rung of the ladder adds, so that a worker that lowers quality gets no more jobs', () => {
  const meter = new LoadMeter();
  observe(meter, [0.3], 0);
  const before = meter.load(0);
  observe(meter, [0.3], 3);
  expect(meter.load(0)).toBeCloseTo(before + 0.6, 6);
});

test('a worker without lanes’ figures is idle, not a division by nothing', () => {
  const meter = new LoadMeter();
  observe(meter, []);
  expect(meter.load(0)).toBe(0);
});

test('the bit rate falls with the rate and with the size, to a least', () => {
  const hd = { width: 1280, height: 720 };
  expect(kbpsOf(3000, hd, 30)).toBe(3000);
  expect(kbpsOf(3000, hd, Number.POSITIVE_INFINITY)).toBe(3000);
  expect(kbpsOf(3000, hd, 10)).toBe(1000);
  expect(kbpsOf(3000, { width: 640, height: 480 }, 30)).toBe(1732);
  expect(kbpsOf(300, { width: 64, height: 48 }, 10)).toBe(150);
});
