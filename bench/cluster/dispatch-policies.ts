/** How a dispatcher orders the workers that are not full: the first that accepts gets the job. */

import type { Random } from '../../fuzz/mutate/random.ts';
import type { SimWorker } from './sim-worker.ts';

/** Draws a worker; null where none is left. */
export type DispatchPolicy = (workers: readonly SimWorker[], random: Random) => SimWorker | null;

/** LiveKit 1.13: at random, by what is left of each worker to a load of 1. */
export const weighted: DispatchPolicy = (workers, random) => {
  const sum = workers.reduce((total, { told }) => total + 1 - told.load, 0);
  if (sum <= 0) return null;
  let left = random.next() * sum;
  for (const worker of workers) {
    left -= 1 - worker.told.load;
    if (left <= 0) return worker;
  }
  return workers.at(-1) ?? null;
};

/** LiveKit before 1.7: the fullest that is not full, so that others become empty and can be ended. */
export const fullest: DispatchPolicy = (workers) =>
  workers.reduce<SimWorker | null>(
    (best, next) => (best === null || next.told.load > best.told.load ? next : best),
    null,
  );
