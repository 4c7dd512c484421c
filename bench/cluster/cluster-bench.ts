/** Scenarios of a cluster, each under two ways to dispatch (`npm run bench -- cluster`). Seconds of processor time, no media. */

import { Random } from '../../fuzz/mutate/random.ts';
import { type DispatchPolicy, fullest, weighted } from './dispatch-policies.ts';
import { type Arrival, diurnal, poisson } from './session-arrivals.ts';
import type { WorkerKind } from './sim-worker.ts';
import { type Scenario, type SimulatedFigures, simulate } from './simulate.ts';

/**
 * A worker of eight cores: a frame of 640×480 takes a lane 4.1 ms (bench `frame`), and a stream's H.264 in and out a fifth of
 * a core beside the lanes, so that three lanes and twenty jobs fit.
 */
const EIGHT_CORES: WorkerKind = { lanes: 3, swapMs: 4.1, maxLoad: 0.95, mostJobs: 20 };
const SEED = 24;
const HOUR_S = 3600;
const MEAN_LENGTH_S = 1200;

const POLICIES: Record<string, DispatchPolicy> = { weighted, fullest };

/** One line of the table. */
export interface ClusterRow extends SimulatedFigures {
  scenario: string;
  policy: string;
}

/** A day of people: two thousand at once at its height. */
function day(): Scenario {
  const mostRate = 2000 / MEAN_LENGTH_S;
  const shape = { seconds: 24 * HOUR_S, meanLengthS: MEAN_LENGTH_S, mostRate };
  const arrivals = poisson(new Random(SEED), shape, diurnal(mostRate));
  return { seconds: shape.seconds, arrivals, worker: EIGHT_CORES, workers: 10, mostWorkers: 200 };
}

/** Six hundred people within a minute, on a cluster with two hundred. */
function flashCrowd(): Scenario {
  const [usual, crowd] = [200 / MEAN_LENGTH_S, 10];
  const shape = { seconds: HOUR_S, meanLengthS: MEAN_LENGTH_S, mostRate: usual + crowd };
  const arrivals = poisson(new Random(SEED), shape, (atS) => usual + (atS >= 1800 && atS < 1860 ? crowd : 0));
  return { seconds: HOUR_S, arrivals, worker: EIGHT_CORES, workers: 12, mostWorkers: 100 };
}

/** A thousand at once, and every ten minutes a worker is lost. */
function losses(): Scenario {
  const rate = 1000 / MEAN_LENGTH_S;
  const shape = { seconds: 2 * HOUR_S, meanLengthS: MEAN_LENGTH_S, mostRate: rate };
  const arrivals: Arrival[] = poisson(new Random(SEED), shape, () => rate);
  const times = Array.from({ length: 6 }, (_, n) => HOUR_S + 600 * n);
  return {
    seconds: shape.seconds,
    arrivals,
    worker: EIGHT_CORES,
    workers: 10,
    mostWorkers: 100,
    losses: times,
  };
}

const SCENARIOS: Record<string, () => Scenario> = { day, 'flash crowd': flashCrowd, losses };

/** Runs every scenario under both policies. */
export function benchCluster(): ClusterRow[] {
  return Object.entries(SCENARIOS).flatMap(([scenario, make]) =>
    Object.entries(POLICIES).map(([policy, choose]) => ({
      scenario,
      policy,
      ...simulate(make(), choose, new Random(SEED)),
    })),
  );
}

/** The rows, for a table of the console. */
export function tableOfCluster(rows: readonly ClusterRow[]): Record<string, Record<string, number>> {
  const share = (value: number): number => Math.round(1000 * value) / 1000;
  return Object.fromEntries(
    rows.map((row) => [
      `${row.scenario}, ${row.policy}`,
      {
        sessions: row.sessions,
        peak: row.peak,
        waited: row.waited,
        'wait p95 s': share(row.waitP95S),
        'gave up': row.gaveUp,
        utilisation: share(row.utilisation),
        lowered: share(row.lowered),
        'peak workers': row.peakWorkers,
        'worker-h per stream-h': share(row.workerHoursPerStreamHour),
        hurt: row.hurt,
        'longest loss s': row.longestLossS,
        'handed over': row.handedOver,
      },
    ]),
  );
}
