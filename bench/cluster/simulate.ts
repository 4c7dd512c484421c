/** A cluster in steps of half a second: arrivals, dispatch, reports, autoscaling, lost nodes. Deterministic. */

import type { Random } from '../../fuzz/mutate/random.ts';
import type { DispatchPolicy } from './dispatch-policies.ts';
import type { Arrival } from './session-arrivals.ts';
import { SimWorker, type WorkerKind } from './sim-worker.ts';

/** What happens in a simulation. */
export interface Scenario {
  seconds: number;
  arrivals: readonly Arrival[];
  worker: WorkerKind;
  /** Workers at the beginning, which is also the fewest. */
  workers: number;
  /** Most workers; as many as at the beginning for a cluster that does not grow. */
  mostWorkers: number;
  /** A worker is lost at these times, in seconds: the one with the most jobs. */
  losses?: readonly number[];
}

/** What came of it. */
export interface SimulatedFigures {
  sessions: number;
  peak: number;
  /** Sessions that waited longer than a second, and their 95th percentile; sessions that gave up. */
  waited: number;
  waitP95S: number;
  gaveUp: number;
  /** Share of the workers' plannable time that was used, 0..1. */
  utilisation: number;
  /** Share of the session-seconds with a lowered rate, 0..1. */
  lowered: number;
  peakWorkers: number;
  workerHours: number;
  /** Worker-hours that an hour of a stream cost. */
  workerHoursPerStreamHour: number;
  /** Sessions whose worker was lost, and the longest time that one of them had no picture. */
  hurt: number;
  longestLossS: number;
  /** Sessions that another worker took over while a worker drained. */
  handedOver: number;
}

const STEP_S = 0.5;
/** From the assignment to the first picture. */
const BEGIN_S = 0.4;
/** A page notices after a second that its worker is lost; the server looks every two for publishers without one. */
const NOTICED_S = 1;
const LOOK_S = 2;
/** How long people wait for a worker. */
const PATIENCE_S = 120;
/** The autoscaler looks so often; a worker is ready so long after it was asked for. */
const SCALE_S = 15;
const BOOT_S = 60;
/** Room that the autoscaler keeps free, as a share of the jobs, and at least in jobs. */
const SPARE = 0.1;
const LEAST_SPARE = 8;
/** A worker is ended when there has been twice that room for so long. */
const SURPLUS_S = 300;

interface SimSession {
  number: number;
  endS: number;
  /** Since when it has no worker. */
  sinceS: number;
  isLost: boolean;
}

/** Runs a scenario. @param random draws of the dispatcher. */
export function simulate(scenario: Scenario, policy: DispatchPolicy, random: Random): SimulatedFigures {
  return new Simulation(scenario, policy, random).run();
}

class Simulation {
  readonly #scenario: Scenario;
  readonly #policy: DispatchPolicy;
  readonly #random: Random;
  #workers: SimWorker[];
  readonly #running = new Map<number, { session: SimSession; worker: SimWorker }>();
  #waiting: SimSession[] = [];
  #booting: number[] = [];
  #surplusSinceS: number | null = null;
  readonly #waits: number[] = [];
  readonly #figures = { gaveUp: 0, hurt: 0, longestLossS: 0, handedOver: 0, peak: 0, peakWorkers: 0 };
  #streamSteps = 0;
  #loweredSteps = 0;
  #workerSteps = 0;
  #usedSteps = 0;

  constructor(scenario: Scenario, policy: DispatchPolicy, random: Random) {
    this.#scenario = scenario;
    this.#policy = policy;
    this.#random = random;
    this.#workers = Array.from({ length: scenario.workers }, () => new SimWorker(scenario.worker));
  }

  run(): SimulatedFigures {
    const { seconds, arrivals, losses = [] } = this.#scenario;
    const lost = [...losses];
    let next = 0;
    for (let step = 0; step * STEP_S < seconds; step++) {
      const nowS = step * STEP_S;
      this.#end(nowS);
      while (lost[0] !== undefined && lost[0] <= nowS) {
        lost.shift();
        this.#lose(nowS);
      }
      for (; next < arrivals.length && arrivals[next]!.atS <= nowS; next++) this.#arrive(next, nowS);
      if (nowS % LOOK_S === 0) this.#look(nowS);
      if (nowS % SCALE_S === 0) this.#scale(nowS);
      for (const worker of this.#workers) worker.tick(nowS);
      this.#count();
    }
    return this.#result();
  }

  #arrive(number: number, nowS: number): void {
    const session = { number, endS: nowS + this.#scenario.arrivals[number]!.lengthS, sinceS: nowS, isLost: false };
    // Others may wait already: first come, first served.
    if (this.#waiting.length > 0 || !this.#dispatch(session, nowS)) this.#waiting.push(session);
  }

  /** Asks one worker after another. */
  #dispatch(session: SimSession, nowS: number): boolean {
    let open = this.#workers.filter(({ told }) => !told.isFull);
    while (open.length > 0) {
      const worker = this.#policy(open, this.#random);
      if (worker === null) return false;
      if (worker.offer(session.number, nowS)) {
        this.#running.set(session.number, { session, worker });
        const waitedS = nowS - session.sinceS + BEGIN_S;
        if (session.isLost) this.#figures.longestLossS = Math.max(this.#figures.longestLossS, waitedS);
        else this.#waits.push(waitedS);
        return true;
      }
      open = open.filter((one) => one !== worker);
    }
    return false;
  }

  /** The line, until its first finds no worker. */
  #look(nowS: number): void {
    this.#waiting = this.#waiting.filter(({ sinceS, endS, isLost }) => {
      const stays = nowS - sinceS < PATIENCE_S && (!isLost || endS > nowS);
      if (!stays) this.#figures.gaveUp++;
      return stays;
    });
    while (this.#waiting[0] !== undefined) {
      const [first] = this.#waiting;
      if (first.isLost && nowS - first.sinceS < NOTICED_S) return;
      if (!this.#dispatch(first, nowS)) return;
      this.#waiting.shift();
    }
  }

  #end(nowS: number): void {
    for (const [number, { session, worker }] of this.#running)
      if (session.endS <= nowS) {
        this.#running.delete(number);
        worker.jobs.delete(number);
      }
    // A worker that drained and is empty is gone.
    this.#workers = this.#workers.filter(({ isDraining, jobs }) => !isDraining || jobs.size > 0);
  }

  #lose(nowS: number): void {
    const worker = this.#workers.reduce((most, one) => (one.jobs.size > most.jobs.size ? one : most));
    this.#workers = this.#workers.filter((one) => one !== worker);
    for (const number of worker.jobs.keys()) {
      const { session } = this.#running.get(number)!;
      this.#running.delete(number);
      this.#figures.hurt++;
      this.#waiting.push({ ...session, sinceS: nowS, isLost: true });
    }
  }

  #scale(nowS: number): void {
    const { workers: fewest, mostWorkers, worker } = this.#scenario;
    this.#booting = this.#booting.filter((readyS) => {
      if (readyS > nowS) return true;
      this.#workers.push(new SimWorker(worker));
      return false;
    });
    const open = this.#workers.filter(({ isDraining }) => !isDraining);
    const free = open.reduce((sum, one) => sum + one.free(nowS), 0);
    const wanted = Math.max(LEAST_SPARE, SPARE * this.#running.size) + this.#waiting.length;
    const perWorker = new SimWorker(worker).free(nowS);
    const missing = Math.ceil((wanted - free) / perWorker) - this.#booting.length;
    const may = mostWorkers - this.#workers.length - this.#booting.length;
    for (let n = 0; n < Math.min(missing, may); n++) this.#booting.push(nowS + BOOT_S);
    const isSurplus = free - perWorker > 2 * wanted && open.length > fewest;
    if (!isSurplus) this.#surplusSinceS = null;
    else this.#surplusSinceS ??= nowS;
    if (this.#surplusSinceS !== null && nowS - this.#surplusSinceS >= SURPLUS_S) {
      this.#drain(
        open.reduce((least, one) => (one.jobs.size < least.jobs.size ? one : least)),
        nowS,
      );
      this.#surplusSinceS = nowS - SURPLUS_S / 2;
    }
  }

  /** Other workers take the jobs over before the worker leaves. */
  #drain(worker: SimWorker, nowS: number): void {
    worker.isDraining = true;
    worker.tell(nowS);
    for (const number of [...worker.jobs.keys()]) {
      const { session } = this.#running.get(number)!;
      const others = this.#workers.filter((one) => one !== worker && !one.told.isFull);
      const taker = this.#policy(others, this.#random);
      if (taker === null || !taker.offer(number, nowS)) continue;
      worker.jobs.delete(number);
      this.#running.set(number, { session, worker: taker });
      this.#figures.handedOver++;
    }
  }

  #count(): void {
    for (const worker of this.#workers) {
      this.#streamSteps += worker.jobs.size;
      if (worker.level > 0) this.#loweredSteps += worker.jobs.size;
      this.#usedSteps += worker.utilisation;
    }
    // A worker that boots costs, too.
    this.#workerSteps += this.#workers.length + this.#booting.length;
    const { peak, peakWorkers } = this.#figures;
    this.#figures.peak = Math.max(peak, this.#running.size);
    this.#figures.peakWorkers = Math.max(peakWorkers, this.#workers.length);
  }

  #result(): SimulatedFigures {
    const waits = this.#waits.sort((a, b) => a - b);
    const hours = (steps: number): number => (steps * STEP_S) / 3600;
    return {
      ...this.#figures,
      sessions: this.#scenario.arrivals.length,
      waited: waits.filter((s) => s > 1).length,
      waitP95S: waits[Math.floor(0.95 * waits.length)] ?? 0,
      utilisation: this.#usedSteps / Math.max(1, this.#workerSteps),
      lowered: this.#loweredSteps / Math.max(1, this.#streamSteps),
      workerHours: hours(this.#workerSteps),
      workerHoursPerStreamHour: this.#workerSteps / Math.max(1, this.#streamSteps),
    };
  }
}
