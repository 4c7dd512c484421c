/** A peer connection that opens again by itself: attempts, deadlines and back-off, without the signalling. */

import { backoffMs } from '../lib/backoff.ts';

/** One peer connection from its offer to its end. Each strategy adds what its signalling keeps per connection. */
export interface PeerAttempt {
  readonly peer: RTCPeerConnection;
}

/**
 * Why an attempt broke: `failed` is the connection state of that name, `disconnected` lasted longer than a path needs
 * to heal, `late` passed the deadline, `signalling` rejected the exchange of offer and answer.
 */
export type BreakCause = 'failed' | 'disconnected' | 'late' | 'signalling';

/** How offers reach the other side, and what the owner does when an attempt connects, breaks or ends. */
export interface PeerStrategy<A extends PeerAttempt> {
  /** Whether a connection is wanted and its offer can be sent now. Asked before each attempt. */
  mayOpen(): boolean;
  /** Makes the peer connection of a new attempt, with its transceivers and listeners. */
  create(): A;
  /**
   * Exchanges offer and answer. A rejection breaks the attempt with the cause `signalling`, unless another attempt or
   * none is current by then.
   */
  negotiate(attempt: A): Promise<void>;
  /** The connection state of the current attempt became `connected`, for the first time or again. */
  onConnected?(attempt: A): void;
  /** The current attempt broke. The owner drops it, and retries where the connection is still wanted. */
  onBroken(attempt: A, cause: BreakCause, error?: unknown): void;
  /** The current attempt was dropped and its peer is closed: tells the other side. */
  onDropped(attempt: A): void;
}

/** A path that is disconnected often heals by itself within this time. */
const HEALS_WITHIN_MS = 3000;

/** Keeps at most one attempt at a time. The owner decides when to open, drop and retry; nothing opens before that. */
export class ReconnectingPeer<A extends PeerAttempt> {
  readonly #strategy: PeerStrategy<A>;
  #current: A | null = null;
  #failures = 0;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #healTimer: ReturnType<typeof setTimeout> | undefined;
  #deadlineTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(strategy: PeerStrategy<A>) {
    this.#strategy = strategy;
  }

  /** The attempt that is under way or connected; null while there is none. */
  get current(): A | null {
    return this.#current;
  }

  /** Opens a connection now, unless there is one or the strategy does not want one. */
  open(): void {
    if (this.#current !== null || !this.#strategy.mayOpen()) return;
    clearTimeout(this.#retryTimer);
    const attempt = this.#strategy.create();
    this.#current = attempt;
    attempt.peer.onconnectionstatechange = () => this.#onConnectionState(attempt);
    this.#strategy.negotiate(attempt).catch((error: unknown) => this.#break(attempt, 'signalling', error));
  }

  /** Breaks the current attempt with the cause `late` unless `settle` is called within so many milliseconds. */
  expectWithin(ms: number): void {
    const attempt = this.#current;
    if (attempt === null) return;
    clearTimeout(this.#deadlineTimer);
    this.#deadlineTimer = setTimeout(() => this.#break(attempt, 'late'), ms);
  }

  /** The current attempt serves its purpose: its deadline is off, and the back-off starts from its beginning. */
  settle(): void {
    clearTimeout(this.#deadlineTimer);
    this.#failures = 0;
  }

  /** Opens a connection after so many milliseconds; null waits as long as the back-off says. */
  retryAfter(waitMs: number | null = null): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.open(), waitMs ?? backoffMs(this.#failures++));
  }

  /** Closes the current connection and calls off a retry. Idempotent. */
  drop(): void {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#healTimer);
    clearTimeout(this.#deadlineTimer);
    const attempt = this.#current;
    if (attempt === null) return;
    this.#current = null;
    attempt.peer.onconnectionstatechange = null;
    attempt.peer.onicecandidate = null;
    attempt.peer.close();
    this.#strategy.onDropped(attempt);
  }

  #onConnectionState(attempt: A): void {
    if (attempt !== this.#current) return;
    const { connectionState } = attempt.peer;
    if (connectionState === 'failed') {
      this.#break(attempt, 'failed');
    } else if (connectionState === 'disconnected') {
      clearTimeout(this.#healTimer);
      this.#healTimer = setTimeout(() => this.#break(attempt, 'disconnected'), HEALS_WITHIN_MS);
    } else if (connectionState === 'connected') {
      clearTimeout(this.#healTimer);
      this.#strategy.onConnected?.(attempt);
    }
  }

  #break(attempt: A, cause: BreakCause, error?: unknown): void {
    if (attempt === this.#current) this.#strategy.onBroken(attempt, cause, error);
  }
}
