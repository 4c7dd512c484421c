/**
 * Runners of one model. Each has memory of its own, so a face that is being painted needs one to itself: while one face
 * awaits the model, the lane may start on another stream's face.
 */

import { withinDeadline } from '../../../lib/deadline.ts';
import { FaceOffError } from '../../../shared/errors.ts';
import type { GeneratorRunner } from './generator-runner.ts';
import type { RegionMask } from './paste-mask.ts';

/** A runner with the mask that limits its paste; null pastes the whole box. */
export interface PooledRunner {
  runner: GeneratorRunner;
  mask: RegionMask | null;
}

/** Releases the lane to other frames while something is awaited; see LaneMutex. */
export type YieldWhile = <T>(wait: Promise<T>) => Promise<T>;

/** A pool that makes another runner when all are in use, and keeps it for later frames. Runs in the lane worker. */
export class RunnerPool {
  readonly #make: () => Promise<PooledRunner>;
  readonly #yieldWhile: YieldWhile;
  readonly #first: PooledRunner;
  readonly #idle: PooledRunner[];
  #making: Promise<void> | null = null;
  #closed = false;

  private constructor(make: () => Promise<PooledRunner>, yieldWhile: YieldWhile, first: PooledRunner) {
    this.#make = make;
    this.#yieldWhile = yieldWhile;
    this.#first = first;
    this.#idle = [first];
  }

  /**
   * Opens a pool with one runner.
   * @param yieldWhile of the lane whose mutex is held during `use`; when absent, the lane stays blocked.
   * @throws whatever `make` throws.
   */
  static async open(make: () => Promise<PooledRunner>, yieldWhile: YieldWhile = (wait) => wait): Promise<RunnerPool> {
    return new RunnerPool(make, yieldWhile, await make());
  }

  /** The first runner, for what is equal in all: provider and usual time. */
  get first(): GeneratorRunner {
    return this.#first.runner;
  }

  /**
   * Runs work with a runner of its own.
   * @param deadlineMs on performance.now()'s clock: the longest wait for a runner, where another has to be made.
   * @throws FaceOffError `too_late`, `model_closed`; whatever `make` and `work` throw.
   */
  async use<T>(deadlineMs: number, work: (pooled: PooledRunner) => Promise<T>): Promise<T> {
    const pooled = await this.#acquire(deadlineMs);
    try {
      return await work(pooled);
    } finally {
      if (this.#closed) await closePooled(pooled);
      else this.#idle.push(pooled);
    }
  }

  /** Idempotent; runners in use are closed at the end of their work. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const pooled of this.#idle.splice(0)) await closePooled(pooled);
  }

  async #acquire(deadlineMs: number): Promise<PooledRunner> {
    for (;;) {
      if (this.#closed) throw new FaceOffError('model_closed', 'The engine was closed.');
      const pooled = this.#idle.pop();
      if (pooled !== undefined) return pooled;
      // Opening a model may take long, where its device has just been restarted.
      await this.#yieldWhile(withinDeadline(this.#makeAnother(), deadlineMs - performance.now()));
    }
  }

  /** Makes one runner at a time, so that frames that gave up waiting do not leave more runners than needed. */
  #makeAnother(): Promise<void> {
    this.#making ??= this.#make()
      .then(async (pooled) => {
        if (this.#closed) await closePooled(pooled);
        else this.#idle.push(pooled);
      })
      .finally(() => {
        this.#making = null;
      });
    return this.#making;
  }
}

async function closePooled({ runner, mask }: PooledRunner): Promise<void> {
  await runner.close();
  await mask?.close();
}
