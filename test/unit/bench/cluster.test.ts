import { describe, expect, test } from 'vitest';
import { fullest, weighted } from '../../../bench/cluster/dispatch-policies.ts';
import { diurnal, poisson } from '../../../bench/cluster/session-arrivals.ts';
import { SimWorker, type WorkerKind } from '../../../bench/cluster/sim-worker.ts';
import { type Scenario, simulate } from '../../../bench/cluster/simulate.ts';
import { Random } from '../../../fuzz/mutate/random.ts';

const worker: WorkerKind = { lanes: 2, swapMs: 4, maxLoad: 0.95, mostJobs: 12 };
const rate = (perSecond: number, seconds: number, meanLengthS = 300) =>
  poisson(new Random(7), { seconds, meanLengthS, mostRate: perSecond }, () => perSecond);
const scenario = (more: Partial<Scenario> = {}): Scenario => ({
  seconds: 1800,
  arrivals: rate(0.1, 1800),
  worker,
  workers: 5,
  mostWorkers: 5,
  ...more,
});

test('arrivals are the same for the same seed, and as many as the rate says', () => {
  expect(rate(1, 1000)).toEqual(rate(1, 1000));
  expect(rate(1, 10_000).length / 10_000).toBeCloseTo(1, 1);
  expect(diurnal(10)(20 * 3600)).toBeCloseTo(10);
  expect(diurnal(10)(8 * 3600)).toBeCloseTo(2);
});

test('a cluster with room serves everyone at once, at full rate', () => {
  const figures = simulate(scenario(), weighted, new Random(1));
  expect(figures).toMatchObject({ waited: 0, gaveUp: 0, lowered: 0, hurt: 0, peakWorkers: 5 });
  expect(figures.utilisation).toBeGreaterThan(0.2);
});

test('the same seed gives the same figures', () => {
  expect(simulate(scenario(), weighted, new Random(3))).toEqual(simulate(scenario(), weighted, new Random(3)));
});

test('a burst is spread by what was accepted and has not begun, and no worker takes more than it can', () => {
  const arrivals = Array.from({ length: 40 }, () => ({ atS: 10, lengthS: 1000 }));
  const figures = simulate(scenario({ arrivals }), weighted, new Random(5));
  expect(figures).toMatchObject({ gaveUp: 0, lowered: 0 });
});

test('people who find all workers full wait, and leave after two minutes', () => {
  const arrivals = Array.from({ length: 100 }, (_, n) => ({ atS: n / 10, lengthS: 10_000 }));
  const figures = simulate(scenario({ arrivals, workers: 2, mostWorkers: 2 }), weighted, new Random(5));
  expect(figures.gaveUp).toBe(100 - figures.peak);
  expect(figures.peak).toBeLessThanOrEqual(2 * worker.mostJobs);
  const growing = simulate(scenario({ arrivals, workers: 2, mostWorkers: 20 }), weighted, new Random(5));
  expect(growing.peak).toBe(100);
  expect(growing.waitP95S).toBeGreaterThan(30);
});

test('a lost worker hurts its own sessions alone, which are swapped again within three seconds', () => {
  const figures = simulate(scenario({ losses: [900] }), weighted, new Random(1));
  expect(figures.hurt).toBeGreaterThan(0);
  expect(figures.hurt).toBeLessThanOrEqual(worker.mostJobs);
  expect(figures.longestLossS).toBeLessThanOrEqual(3);
  expect(figures.gaveUp).toBe(0);
});

describe('a day with growth', () => {
  const seconds = 12 * 3600;
  const mostRate = 0.15;
  const arrivals = poisson(new Random(7), { seconds, meanLengthS: 600, mostRate }, diurnal(mostRate));
  const grown = scenario({ seconds, arrivals, workers: 2, mostWorkers: 60 });

  test.each([
    ['weighted', weighted],
    ['fullest', fullest],
  ])('%s: workers come and go, and nearly all are served at once', (_name, policy) => {
    const figures = simulate(grown, policy, new Random(1));
    expect(figures.peakWorkers).toBeGreaterThan(5);
    expect(figures.workerHours).toBeLessThan(12 * figures.peakWorkers * 0.9);
    expect(figures.waited / figures.sessions).toBeLessThan(0.02);
    expect(figures.gaveUp).toBe(0);
  });
});

test('a worker refuses what its load does not allow', () => {
  const one = new SimWorker({ ...worker, maxLoad: 0.5 });
  let taken = 0;
  while (one.offer(taken, 0)) taken++;
  // Each is planned with 30 × 4 ms of two lanes, of which four fifths may be used.
  expect(taken).toBe(Math.ceil(0.5 / (0.12 / 2 / 0.8)));
});
