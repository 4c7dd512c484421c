/**
 * A model's painters. Each has memory of its own, so there is one for every face that is painted at the same time: while
 * one waits for its model, another stream's face may be next. Made when needed, kept for the next frames.
 */

import { withinDeadline } from '../../../lib/deadline.ts';
import { FaceOffError } from '../../../shared/errors.ts';
import type { GeneratorRunner } from './generator-runner.ts';
import type { RegionMask } from './paste-mask.ts';

export interface PooledRunner {
  painter: GeneratorRunner;
  region: RegionMask | null;
}

/** Lets others have the lane while something is awaited; see Turns. */
export type YieldWhile = <T>(wait: Promise<T>) => Promise<T>;

export class RunnerPool {
  readonly #make: () => Promise<PooledRunner>;
  readonly #away: YieldWhile;
  readonly #first: PooledRunner;
  readonly #idle: PooledRunner[];
  #making: Promise<void> | null = null;
  #closed = false;

  private constructor(make: () => Promise<PooledRunner>, away: YieldWhile, first: PooledRunner) {
    this.#make = make;
    this.#away = away;
    this.#first = first;
    this.#idle = [first];
  }

  /**
   * @param away of the lane that `with` is called in the turn of; left out where nobody else is to be let in.
   * @throws what making one throws.
   */
  static async open(make: () => Promise<PooledRunner>, away: YieldWhile = (wait) => wait): Promise<RunnerPool> {
    return new RunnerPool(make, away, await make());
  }

  /** What a face is painted by, to ask it what it is. */
  get one(): GeneratorRunner {
    return this.#first.painter;
  }

  /**
   * @param deadlineMs on performance.now()'s clock: for no longer a painter is waited for, where another has to be made.
   * @throws FaceOffError `too_late`, `model_closed`; what making one throws, and what the work throws.
   */
  async with<T>(deadlineMs: number, work: (runner: PooledRunner) => Promise<T>): Promise<T> {
    const runner = await this.#take(deadlineMs);
    try {
      return await work(runner);
    } finally {
      if (this.#closed) await closeRunner(runner);
      else this.#idle.push(runner);
    }
  }

  /** Idempotent; those at work are closed when they are done. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const runner of this.#idle.splice(0)) await closeRunner(runner);
  }

  async #take(deadlineMs: number): Promise<PooledRunner> {
    for (;;) {
      if (this.#closed) throw new FaceOffError('model_closed', 'The engine was closed.');
      const runner = this.#idle.pop();
      if (runner !== undefined) return runner;
      // Opening a model may take long, where its device has just been started again.
      await this.#away(withinDeadline(this.#another(), deadlineMs - performance.now()));
    }
  }

  /** One at a time, so that those who could not wait for it leave no more behind than are needed. */
  #another(): Promise<void> {
    this.#making ??= this.#make()
      .then(async (runner) => {
        if (this.#closed) await closeRunner(runner);
        else this.#idle.push(runner);
      })
      .finally(() => {
        this.#making = null;
      });
    return this.#making;
  }
}

async function closeRunner({ painter, region }: PooledRunner): Promise<void> {
  await painter.close();
  await region?.close();
}
