/** Random numbers, the same ones for the same seed. */

/** A source of random numbers: Mulberry32, seeded with one number. */
export class Random {
  #state: number;

  /** @param seed any whole number; its low 32 bits count. */
  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** The numbers for one input: they depend on nothing but the run's seed, the target and the number of the input. */
  static of(seed: number, target: string, index: number): Random {
    let hash = 0x811c9dc5 ^ seed;
    for (let i = 0; i < target.length; i++) hash = Math.imul(hash ^ target.charCodeAt(i), 0x01000193);
    hash = Math.imul(hash ^ index, 0x9e3779b1);
    return new Random(hash ^ (hash >>> 15));
  }

  /** From 0 to below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    const state = this.#state;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from 0 to below `n`; 0 where n is 0. */
  below(n: number): number {
    return Math.floor(this.next() * n);
  }

  /** True with that probability, 0..1. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of a list that is not empty. */
  one<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  /** So many random bytes. */
  bytes(count: number): Buffer {
    const out = Buffer.alloc(count);
    for (let i = 0; i < count; i++) out[i] = this.below(256);
    return out;
  }
}

/** The numbers of a seed as a function, each from 0 to below 1. */
export function randomOf(seed: number): () => number {
  const random = new Random(seed);
  return () => random.next();
}
