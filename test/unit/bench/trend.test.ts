import { describe, expect, test } from 'vitest';
import { type Sample, trendOf } from '../../../bench/soak/trend.ts';

const MINUTE_MS = 60_000;
/** An hour of samples, two a minute. */
const hour = (valueAt: (minute: number, n: number) => number): Sample[] =>
  Array.from({ length: 121 }, (_, n) => ({ atMs: n * 0.5 * MINUTE_MS, value: valueAt(n / 2, n) }));
const reading = { windowMs: 10 * MINUTE_MS, of: 'median', slack: () => 2 } as const;

describe('a trend', () => {
  test('compares the first ten minutes with the last, and tells its slope', () => {
    const trend = trendOf(
      hour((minute) => 100 + minute),
      reading,
    );
    expect(trend).toMatchObject({ first: 105, last: 155, verdict: 'growing' });
    expect(trend.perHour).toBeCloseTo(60, 6);
  });

  test('of one descriptor lost in every tenth round is growing', () => {
    const trend = trendOf(
      hour((_, n) => 70 + Math.floor(n / 10)),
      reading,
    );
    expect(trend.verdict).toBe('growing');
    expect(trend.perHour).toBeGreaterThan(10);
  });

  test('that swings, and one with outliers, is flat', () => {
    expect(
      trendOf(
        hour((_, n) => 70 + (n % 3)),
        reading,
      ),
    ).toMatchObject({ first: 71, last: 71, verdict: 'flat' });
    const outliers = trendOf(
      hour((_, n) => (n % 25 === 24 ? 900 : 70)),
      reading,
    );
    expect(outliers).toEqual({ first: 70, last: 70, perHour: 0, verdict: 'flat' });
  });

  test('that falls is flat', () => {
    expect(
      trendOf(
        hour((minute) => 100 - minute),
        reading,
      ).verdict,
    ).toBe('flat');
  });

  test('of a collected heap is that of its least values', () => {
    // Rises from 30 to 49 between two collections; what survives them grows by a tenth of a unit a minute.
    const saw = hour((minute, n) => 30 + (n % 20) + minute / 10);
    expect(trendOf(saw, { ...reading, of: 'least' })).toMatchObject({ first: 30, last: 35, verdict: 'growing' });
  });

  test('takes two samples', () => {
    expect(() => trendOf([{ atMs: 0, value: 1 }], reading)).toThrow(RangeError);
  });
});
