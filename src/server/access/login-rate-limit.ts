import { createHash } from 'node:crypto';
import type { Config } from '../../config.ts';
import { networkOf } from '../../lib/address.ts';
import { FaceOffError } from '../../shared/errors.ts';

const WINDOW_MS = 60_000;
/** Most addresses remembered at once; the oldest are forgotten first. */
const MOST_ADDRESSES = 10_000;

interface Attempts {
  sinceMs: number;
  /** Hashes of the wrong tokens. A program that repeats the same outdated token guesses nothing and counts once. */
  tokens: Set<string>;
}

/** Limits the number of different wrong tokens per address, against guessing. Keeps its data in memory only. */
export class LoginRateLimit {
  readonly #limits: Pick<Config['limits'], 'wrongTokens'>;
  readonly #onFull: () => void;
  readonly #clock: () => number;
  /** By network, in the order of their first attempts. */
  readonly #attempts = new Map<string, Attempts>();

  /**
   * @param limits `wrongTokens` is the number of different wrong tokens per address and minute, after which the address
   *   has to wait until the minute ends; 0 means no limit.
   * @param onFull called when an address has to wait; it is not told which address.
   */
  constructor(
    limits: Pick<Config['limits'], 'wrongTokens'>,
    onFull: () => void,
    clock: () => number = () => performance.now(),
  ) {
    this.#limits = limits;
    this.#onFull = onFull;
    this.#clock = clock;
  }

  /**
   * Refuses an address that has to wait; call it before comparing a token.
   * @throws FaceOffError `too_many_attempts` (429, details: retryAfterMs).
   */
  check(address: string): void {
    const retryAfterMs = this.waitMs(address);
    if (retryAfterMs === 0) return;
    const wait = `Try again in ${Math.ceil(retryAfterMs / 1000)} seconds.`;
    throw new FaceOffError('too_many_attempts', `Too many wrong tokens came from this address. ${wait}`, {
      details: { retryAfterMs },
    });
  }

  /** How long an address has to wait, in milliseconds; 0 if it need not wait. */
  waitMs(address: string): number {
    const now = this.#clock();
    for (const [network, { sinceMs }] of this.#attempts) {
      if (now - sinceMs < WINDOW_MS) break;
      this.#attempts.delete(network);
    }
    const attempts = this.#attempts.get(networkOf(address));
    const { wrongTokens } = this.#limits;
    if (attempts === undefined || wrongTokens === 0 || attempts.tokens.size < wrongTokens) return 0;
    return attempts.sinceMs + WINDOW_MS - now;
  }

  /** Counts a wrong token. */
  wrong(address: string, token: string): void {
    const { wrongTokens } = this.#limits;
    if (wrongTokens === 0) return;
    const network = networkOf(address);
    const attempts = this.#attempts.get(network) ?? { sinceMs: this.#clock(), tokens: new Set() };
    attempts.tokens.add(createHash('sha256').update(token).digest('base64'));
    this.#attempts.set(network, attempts);
    if (attempts.tokens.size === wrongTokens) this.#onFull();
    if (this.#attempts.size > MOST_ADDRESSES) this.#attempts.delete(this.#attempts.keys().next().value!);
  }
}
