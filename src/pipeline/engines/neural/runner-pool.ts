/**
 * A model's painters. Each has memory of its own, so there is one for every face that is painted at the same time: while
 * one waits for its model, another stream's face may be next. Made when needed, kept for the next frames.
 */

import { FaceOffError } from '../../../shared/errors.ts';
import { within } from '../../../lib/deadline.ts';
import type { RegionMask } from './paste-mask.ts';
import type { Painter } from './generator-runner.ts';

export interface Brush {
  painter: Painter;
  region: RegionMask | null;
}

/** Lets others have the lane while something is awaited; see Turns. */
export type Away = <T>(wait: Promise<T>) => Promise<T>;

export class Brushes {
  readonly #make: () => Promise<Brush>;
  readonly #away: Away;
  readonly #first: Brush;
  readonly #idle: Brush[];
  #making: Promise<void> | null = null;
  #closed = false;

  private constructor(make: () => Promise<Brush>, away: Away, first: Brush) {
    this.#make = make;
    this.#away = away;
    this.#first = first;
    this.#idle = [first];
  }

  /**
   * @param away of the lane that `with` is called in the turn of; left out where nobody else is to be let in.
   * @throws what making one throws.
   */
  static async open(make: () => Promise<Brush>, away: Away = (wait) => wait): Promise<Brushes> {
    return new Brushes(make, away, await make());
  }

  /** What a face is painted by, to ask it what it is. */
  get one(): Painter {
    return this.#first.painter;
  }

  /**
   * @param deadlineMs on performance.now()'s clock: for no longer a painter is waited for, where another has to be made.
   * @throws FaceOffError `too_late`, `model_closed`; what making one throws, and what the work throws.
   */
  async with<T>(deadlineMs: number, work: (brush: Brush) => Promise<T>): Promise<T> {
    const brush = await this.#take(deadlineMs);
    try {
      return await work(brush);
    } finally {
      if (this.#closed) await closeBrush(brush);
      else this.#idle.push(brush);
    }
  }

  /** Idempotent; those at work are closed when they are done. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const brush of this.#idle.splice(0)) await closeBrush(brush);
  }

  async #take(deadlineMs: number): Promise<Brush> {
    for (;;) {
      if (this.#closed) throw new FaceOffError('model_closed', 'The engine was closed.');
      const brush = this.#idle.pop();
      if (brush !== undefined) return brush;
      // Opening a model may take long, where its device has just been started again.
      await this.#away(within(this.#another(), deadlineMs - performance.now()));
    }
  }

  /** One at a time, so that those who could not wait for it leave no more behind than are needed. */
  #another(): Promise<void> {
    this.#making ??= this.#make()
      .then(async (brush) => {
        if (this.#closed) await closeBrush(brush);
        else this.#idle.push(brush);
      })
      .finally(() => {
        this.#making = null;
      });
    return this.#making;
  }
}

async function closeBrush({ painter, region }: Brush): Promise<void> {
  await painter.close();
  await region?.close();
}
