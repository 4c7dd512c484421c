/** Whether what a process holds grows over a soak. */

import type { Held } from './held-by.ts';
import { type Reading, type Trend, trendOf } from './trend.ts';

/** What a process held after a round. */
export interface HeldAt extends Held {
  /** Since any fixed moment, in milliseconds. */
  atMs: number;
}

/** The first window of a soak against the last. */
export interface HeldTrends {
  /** Length of the windows. */
  windowMinutes: number;
  trends: Record<keyof Held, Trend>;
  verdict: Trend['verdict'];
}

const WINDOW_MINUTES = 10;
/** Longest window, as a share of the soak. */
const MOST_WINDOW = 1 / 3;
const COMPARED: Record<keyof Held, Omit<Reading, 'windowMs'>> = {
  rssMiB: { of: 'median', slack: (first) => 0.05 * first },
  heapMiB: { of: 'least', slack: (first) => 0.05 * first },
  externalMiB: { of: 'least', slack: (first) => Math.max(2, 0.1 * first) },
  descriptors: { of: 'median', slack: () => 2 },
  threads: { of: 'median', slack: () => 2 },
  children: { of: 'median', slack: () => 0 },
};

/** The part of a soak before the first round that is measured. */
export const WARM_UP_SHARE = 1 / 12;

/** @throws RangeError where there are fewer than two rounds. */
export function heldTrends(rounds: readonly HeldAt[], minutes: number): HeldTrends {
  const windowMinutes = windowOf(minutes);
  const windowMs = windowMinutes * 60_000;
  const trends = Object.fromEntries(
    Object.entries(COMPARED).map(([key, how]) => [
      key,
      trendOf(
        rounds.map((round) => ({ atMs: round.atMs, value: round[key as keyof Held] })),
        { windowMs, ...how },
      ),
    ]),
  ) as Record<keyof Held, Trend>;
  const isFlat = Object.values(trends).every(({ verdict }) => verdict === 'flat');
  return { windowMinutes, trends, verdict: isFlat ? 'flat' : 'growing' };
}

/** Length of a soak's windows, in minutes. */
export const windowOf = (minutes: number): number => Math.min(WINDOW_MINUTES, minutes * MOST_WINDOW);

/** The rows of trends, for a table of the console. */
export function tableOfTrends(trends: HeldTrends['trends']): Record<string, object> {
  return Object.fromEntries(
    Object.entries(trends).map(([measure, { first, last, perHour, verdict }]) => [
      measure,
      { first: oneDecimal(first), last: oneDecimal(last), 'slope an hour': oneDecimal(perHour), verdict },
    ]),
  );
}

/** Rounds to tenths. */
export const oneDecimal = (value: number): number => Math.round(10 * value) / 10;

/** One line about what was held after a round. */
export function heldLine(n: number, held: HeldAt, beganMs: number, isMeasured: boolean): string {
  const { atMs, rssMiB, heapMiB, externalMiB, descriptors, threads, children } = held;
  const minute = ((atMs - beganMs) / 60_000).toFixed(1);
  const memory = `rss ${rssMiB.toFixed(0)} heap ${heapMiB.toFixed(1)} external ${externalMiB.toFixed(1)} MiB`;
  const counts = `${descriptors} descriptors ${threads} threads ${children} children`;
  return `${minute} min, round ${n}${isMeasured ? '' : ' (warm-up)'}: ${memory}, ${counts}`;
}
