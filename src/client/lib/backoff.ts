/** When to try again. No DOM, so it is tested as it is. */

const FIRST_MS = 500;
const LONGEST_MS = 8000;

/**
 * How long to wait before the n-th attempt, counted from 0: doubles from half a second up to eight. Up to a quarter is
 * taken off at random, so that many pages do not fall upon a server that just came back in the same moment.
 */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  return Math.min(LONGEST_MS, FIRST_MS * 2 ** attempt) * (1 - random() / 4);
}
