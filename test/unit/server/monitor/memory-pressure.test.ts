import { expect, test } from 'vitest';
import { MemoryWatch } from '../../../../src/server/monitor/memory-pressure.ts';
import type { Pressure } from '../../../../src/shared/types.ts';

const LIMITS = { releaseAt: 0.85, degradeAt: 0.95 };

/** Plays a curve, one share a second; returns each change as second and pressure. */
function changes(curve: readonly number[]): [number, Pressure][] {
  const watch = new MemoryWatch(LIMITS);
  let before = watch.pressure;
  return curve.flatMap((share, second) => {
    const now = watch.observe(share, second * 1000);
    const changed = now !== before;
    before = now;
    return changed ? [[second, now] as [number, Pressure]] : [];
  });
}

const hold = (share: number, seconds: number): number[] => Array<number>(seconds).fill(share);

test('with room to spare nothing happens', () => {
  expect(changes([...hold(0.3, 60), ...hold(0.84, 60)])).toEqual([]);
});

test('a slow rise passes both thresholds at once when it reaches them, and the way back is slow', () => {
  const rise = Array.from({ length: 30 }, (_, i) => 0.7 + i * 0.01);
  const said = changes([...rise, ...hold(0.99, 10), ...hold(0.5, 20)]);
  expect(said).toEqual([
    [15, 'release'],
    [25, 'degrade'],
    [45, 'release'],
    [51, 'none'],
  ]);
});

test('a jump raises the pressure to the highest level at once', () => {
  expect(changes([...hold(0.4, 5), 0.99])).toEqual([[5, 'degrade']]);
});

test('memory that swings about a threshold does not toggle the pressure', () => {
  const swing = Array.from({ length: 300 }, (_, i) => (i % 4 < 2 ? 0.86 : 0.78));
  expect(changes(swing)).toEqual([[0, 'release']]);
  expect(changes(Array.from({ length: 300 }, (_, i) => (i % 2 ? 0.96 : 0.91)))).toEqual([
    [0, 'release'],
    [1, 'degrade'],
  ]);
});

test('memory just below the threshold keeps the pressure', () => {
  expect(changes([0.86, ...hold(0.82, 600)])).toEqual([[0, 'release']]);
});

test('a short dip does not end the pressure', () => {
  expect(changes([0.97, ...hold(0.5, 4), 0.97, ...hold(0.5, 4), 0.97])).toEqual([[0, 'degrade']]);
});

test('thresholds that change count from the next measurement on', () => {
  const limits = { ...LIMITS };
  const watch = new MemoryWatch(limits);
  expect(watch.observe(0.8, 0)).toBe('none');
  limits.releaseAt = 0.7;
  expect(watch.observe(0.8, 1000)).toBe('release');
});
