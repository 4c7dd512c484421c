/** What a soak's samples say: the first window against the last, and the slope between. */

/** A value at its time. */
export interface Sample {
  /** Since any fixed moment, in milliseconds. */
  atMs: number;
  value: number;
}

/** How the values of a measure are read. */
export interface Reading {
  /** Length of the first and of the last window, in milliseconds. */
  windowMs: number;
  /** Value of a window: its median, or its least value, which is the live heap where a collector runs now and then. */
  of: 'median' | 'least';
  /** Growth from the first window to the last that still counts as flat, in the values' unit. */
  slack: (first: number) => number;
}

/** The first window, the last one, and the verdict. */
export interface Trend {
  first: number;
  last: number;
  /** Median of the slopes between all pairs of samples (Theil–Sen), in the values' unit an hour. */
  perHour: number;
  verdict: 'flat' | 'growing';
}

/** @throws RangeError where there are fewer than two samples. */
export function trendOf(samples: readonly Sample[], { windowMs, of, slack }: Reading): Trend {
  const [begin, end] = [samples[0], samples.at(-1)];
  if (begin === undefined || end === undefined || begin === end) throw new RangeError('A trend takes two samples.');
  const windowValue = (part: readonly Sample[]): number => {
    const values = part.map(({ value }) => value);
    return of === 'least' ? Math.min(...values) : median(values);
  };
  const first = windowValue(samples.filter(({ atMs }) => atMs <= begin.atMs + windowMs));
  const last = windowValue(samples.filter(({ atMs }) => atMs >= end.atMs - windowMs));
  const slopes = samples.flatMap((a, n) => samples.slice(n + 1).map((b) => (b.value - a.value) / (b.atMs - a.atMs)));
  return {
    first,
    last,
    perHour: 3_600_000 * median(slopes),
    verdict: last - first > slack(first) ? 'growing' : 'flat',
  };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}
