import type { Pressure } from '../../shared/types.ts';

/** All pressures, from none to the highest. */
export const PRESSURES: readonly Pressure[] = ['none', 'release', 'degrade'];

/** Hysteresis: a pressure ends this far below the share at which it begins. */
const MARGIN = 0.05;
/** How long the memory in use has to stay below that share. */
const SETTLED_MS = 5000;

/**
 * Derives the memory pressure from the share of memory in use. It rises at once and falls one step at a time, after
 * five seconds with memory to spare, so that it does not oscillate.
 */
export class MemoryWatch {
  readonly #limits: { readonly releaseAt: number; readonly degradeAt: number };
  #rank = 0;
  #settledSinceMs: number | null = null;

  /** @param limits the shares at which pressures begin. */
  constructor(limits: { readonly releaseAt: number; readonly degradeAt: number }) {
    this.#limits = limits;
  }

  get #begins(): readonly number[] {
    return [0, this.#limits.releaseAt, this.#limits.degradeAt];
  }

  get pressure(): Pressure {
    return PRESSURES[this.#rank]!;
  }

  /** Takes a measurement and returns the pressure. @param share used part of the memory that is shortest, 0..1. */
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
