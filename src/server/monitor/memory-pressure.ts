/** How short memory is: up at once, down only after a while with room to spare, so that it does not go back and forth. */

import type { Pressure } from '../../shared/types.ts';

/** From no pressure to the most. */
export const PRESSURES: readonly Pressure[] = ['none', 'release', 'degrade'];

/** A pressure ends so far below the share that began it. */
const MARGIN = 0.05;
/** Memory must have been below for so long. */
const SETTLED_MS = 5000;

export class MemoryWatch {
  /** The share at which each pressure begins. */
  readonly #begins: readonly number[];
  #rank = 0;
  #settledSinceMs: number | null = null;

  constructor({ releaseAt, degradeAt }: { releaseAt: number; degradeAt: number }) {
    this.#begins = [0, releaseAt, degradeAt];
  }

  get pressure(): Pressure {
    return PRESSURES[this.#rank]!;
  }

  /** @param share how much is used of the memory that is shortest, 0..1. */
  observe(share: number, nowMs: number): Pressure {
    const wanted = this.#begins.findLastIndex((begin) => share >= begin);
    if (wanted > this.#rank) this.#rank = wanted;
    const settled = this.#rank > 0 && share < this.#begins[this.#rank]! - MARGIN;
    this.#settledSinceMs = settled ? (this.#settledSinceMs ?? nowMs) : null;
    if (this.#settledSinceMs === null || nowMs - this.#settledSinceMs < SETTLED_MS) return this.pressure;
    this.#rank--;
    this.#settledSinceMs = null;
    return this.pressure;
  }
}
