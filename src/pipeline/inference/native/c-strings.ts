/** Text as C reads it: an array of pointers to UTF-8 that ends with a zero. Lives as long as the object. */

import { addressOf, type Pointer } from './ffi.ts';

export class CStrings {
  readonly #texts: Buffer[];
  readonly #pointers: BigUint64Array;

  constructor(texts: readonly string[]) {
    this.#texts = texts.map((text) => Buffer.from(`${text}\0`, 'utf8'));
    this.#pointers = BigUint64Array.from(this.#texts, addressOf);
  }

  /** Of the array, `const char *const *`: as long as this object is held. */
  get address(): Pointer {
    return addressOf(this.#pointers);
  }

  /** Holds it while something is done with its address. */
  use<T>(work: (address: Pointer) => T): T {
    inUse.add(this);
    try {
      return work(this.address);
    } finally {
      inUse.delete(this);
    }
  }
}

const inUse = new Set<CStrings>();
