/** How long a connection may take to come, and how long it may be lost: the same for who publishes and who looks on. */

import type { Config } from '../../config.ts';
import type { PeerState } from './peer.ts';

export class ConnectionTimeout {
  readonly #config: Config['webrtc'];
  readonly #onEnd: (why: string) => void;
  #deadline: NodeJS.Timeout | undefined;

  /** @param onEnd the connection is gone for good; told once, unless it is closed before. */
  constructor(config: Config['webrtc'], onEnd: (why: string) => void) {
    this.#config = config;
    this.#onEnd = onEnd;
    this.#within(config.connectTimeoutMs, 'not connected in time');
  }

  onState(state: PeerState): void {
    clearTimeout(this.#deadline);
    const { connectTimeoutMs, lostTimeoutMs } = this.#config;
    if (state === 'failed' || state === 'closed') this.#onEnd(`connection ${state}`);
    else if (state === 'disconnected') this.#within(lostTimeoutMs, 'connection lost');
    else if (state !== 'connected') this.#within(connectTimeoutMs, 'not connected in time');
  }

  close(): void {
    clearTimeout(this.#deadline);
  }

  #within(ms: number, why: string): void {
    this.#deadline = setTimeout(() => this.#onEnd(why), ms);
  }
}
