/** Exponential back-off with jitter. Free of the DOM, for tests. */

const FIRST_MS = 500;
const LONGEST_MS = 8000;

/**
 * The wait before an attempt, in milliseconds: doubles from half a second up to eight. Up to a quarter is taken off at
 * random, so that many pages do not all call a server in the moment in which it comes back.
 * @param attempt counted from 0.
 */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  return Math.min(LONGEST_MS, FIRST_MS * 2 ** attempt) * (1 - random() / 4);
}
