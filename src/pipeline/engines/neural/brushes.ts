/**
 * A model's painters. Each has memory of its own, so there is one for every face that is painted at the same time: while
 * one waits for its model, another stream's face may be next. Made when needed, kept for the next frames.
 */

import type { RegionMask } from './mask.ts';
import type { Painter } from './painter.ts';

export interface Brush {
  painter: Painter;
  region: RegionMask | null;
}

export class Brushes {
  readonly #make: () => Promise<Brush>;
  readonly #all: Brush[];
  readonly #idle: Brush[];
  #closed = false;

  private constructor(make: () => Promise<Brush>, first: Brush) {
    this.#make = make;
    this.#all = [first];
    this.#idle = [first];
  }

  /** @throws what making one throws. */
  static async open(make: () => Promise<Brush>): Promise<Brushes> {
    return new Brushes(make, await make());
  }

  /** What a face is painted by, to ask it what it is. */
  get one(): Painter {
    return this.#all[0]!.painter;
  }

  async with<T>(work: (brush: Brush) => Promise<T>): Promise<T> {
    const brush = this.#idle.pop() ?? (await this.#another());
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

  async #another(): Promise<Brush> {
    const brush = await this.#make();
    this.#all.push(brush);
    return brush;
  }
}

async function closeBrush({ painter, region }: Brush): Promise<void> {
  await painter.close();
  await region?.close();
}
