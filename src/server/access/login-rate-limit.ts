/** Counts wrong tokens by address, so that nobody can go on guessing. Nothing of it is written anywhere. */

import { createHash } from 'node:crypto';
import { networkOf } from '../../lib/address.ts';
import { FaceOffError } from '../../shared/errors.ts';

const WINDOW_MS = 60_000;
/** Addresses remembered at once; beyond it the oldest are forgotten. */
const MOST_ADDRESSES = 10_000;

interface Tried {
  sinceMs: number;
  /** A program that comes again and again with the same old token guesses nothing, and counts once. */
  tokens: Set<string>;
}

export class LoginRateLimit {
  readonly #most: number;
  readonly #onFull: () => void;
  readonly #clock: () => number;
  /** By the network; those that began first come first. */
  readonly #tried = new Map<string, Tried>();

  /**
   * @param most different wrong tokens from one address in a minute, after which it has to wait for the minute's end; 0
   *   counts nothing.
   * @param onFull told when an address has to wait; not which.
   */
  constructor(most: number, onFull: () => void, clock: () => number = () => performance.now()) {
    this.#most = most;
    this.#onFull = onFull;
    this.#clock = clock;
  }

  /** Before a token is looked at. @throws FaceOffError `too_many_attempts` (429, details: retryAfterMs). */
  check(address: string): void {
    const retryAfterMs = this.waitMs(address);
    if (retryAfterMs === 0) return;
    const wait = `Try again in ${Math.ceil(retryAfterMs / 1000)} seconds.`;
    throw new FaceOffError('too_many_attempts', `Too many wrong tokens came from this address. ${wait}`, {
      status: 429,
      details: { retryAfterMs },
    });
  }

  /** How long an address has to wait; 0 for not at all. */
  waitMs(address: string): number {
    const now = this.#clock();
    for (const [network, { sinceMs }] of this.#tried) {
      if (now - sinceMs < WINDOW_MS) break;
      this.#tried.delete(network);
    }
    const tried = this.#tried.get(networkOf(address));
    if (tried === undefined || tried.tokens.size < this.#most) return 0;
    return tried.sinceMs + WINDOW_MS - now;
  }

  wrong(address: string, token: string): void {
    if (this.#most === 0) return;
    const network = networkOf(address);
    const tried = this.#tried.get(network) ?? { sinceMs: this.#clock(), tokens: new Set() };
    tried.tokens.add(createHash('sha256').update(token).digest('base64'));
    this.#tried.set(network, tried);
    if (tried.tokens.size === this.#most) this.#onFull();
    if (this.#tried.size > MOST_ADDRESSES) this.#tried.delete(this.#tried.keys().next().value!);
  }
}
