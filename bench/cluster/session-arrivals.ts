/** Arrivals of sessions, the same for the same seed. */

import type { Random } from '../../fuzz/mutate/random.ts';

/** One session that wants a worker. */
export interface Arrival {
  /** In seconds from the beginning. */
  atS: number;
  lengthS: number;
}

/**
 * A Poisson process whose rate changes (by thinning); lengths are exponential.
 * @param rateAt arrivals a second at a time.
 * @param mostRate its highest value.
 */
export function poisson(
  random: Random,
  { seconds, meanLengthS, mostRate }: { seconds: number; meanLengthS: number; mostRate: number },
  rateAt: (atS: number) => number,
): Arrival[] {
  const arrivals: Arrival[] = [];
  const exponential = (mean: number): number => -mean * Math.log(1 - random.next());
  for (let atS = exponential(1 / mostRate); atS < seconds; atS += exponential(1 / mostRate))
    if (random.next() * mostRate < rateAt(atS)) arrivals.push({ atS, lengthS: exponential(meanLengthS) });
  return arrivals;
}

/** The rate over a day: a fifth of the highest at four in the morning, the highest at eight in the evening. */
export const diurnal =
  (mostRate: number) =>
  (atS: number): number =>
    mostRate * (0.6 + 0.4 * Math.cos((2 * Math.PI * (atS / 3600 - 20)) / 24));
