/** Arrays of strings for C. */

import { addressOf, type Pointer } from './ffi.ts';

/** An array of pointers to zero-terminated UTF-8 strings, valid as long as the object is referenced. */
export class CStrings {
  readonly #texts: Buffer[];
  readonly #pointers: BigUint64Array;

  constructor(texts: readonly string[]) {
    this.#texts = texts.map((text) => Buffer.from(`${text}\0`, 'utf8'));
    this.#pointers = BigUint64Array.from(this.#texts, addressOf);
  }

  /** Address of the array, `const char *const *`; valid as long as this object is referenced. */
  get address(): Pointer {
    return addressOf(this.#pointers);
  }

  /** Keeps this object referenced while `work` uses the address. */
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
