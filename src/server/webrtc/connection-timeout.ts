import type { Config } from '../../config.ts';
import type { PeerState } from './peer.ts';

/**
 * Time limits of a connection, for publishers and viewers: how long it may take to connect, and how long it may stay
 * disconnected.
 */
export class ConnectionTimeout {
  readonly #config: Config['webrtc'];
  readonly #onEnd: (why: string) => void;
  #timer: NodeJS.Timeout | undefined;

  /**
   * Starts the limit for connecting.
   * @param onEnd called once when the connection is lost for good, unless closed before.
   */
  constructor(config: Config['webrtc'], onEnd: (why: string) => void) {
    this.#config = config;
    this.#onEnd = onEnd;
    this.#endAfter(config.connectTimeoutMs, 'not connected in time');
  }

  /** Takes the peer's new state. */
  onState(state: PeerState): void {
    clearTimeout(this.#timer);
    const { connectTimeoutMs, lostTimeoutMs } = this.#config;
    if (state === 'failed' || state === 'closed') this.#onEnd(`connection ${state}`);
    else if (state === 'disconnected') this.#endAfter(lostTimeoutMs, 'connection lost');
    else if (state !== 'connected') this.#endAfter(connectTimeoutMs, 'not connected in time');
  }

  /** Stops the timer. Idempotent. */
  close(): void {
    clearTimeout(this.#timer);
  }

  #endAfter(ms: number, why: string): void {
    this.#timer = setTimeout(() => this.#onEnd(why), ms);
  }
}
