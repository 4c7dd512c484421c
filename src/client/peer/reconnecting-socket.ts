/** The WebSocket to the server, which opens again by itself whenever it breaks. */

import type { ClientMessage, ServerMessage } from '../../shared/messages.ts';
import { backoffMs } from '../lib/backoff.ts';

/** `lost`: it was open before. The others: it could not be opened, because. */
export type DownReason = 'lost' | 'unready' | 'unreachable';

export interface SocketConf {
  onMessage(message: ServerMessage): void;
  onDown(reason: DownReason): void;
}

/** A socket that held so long was a good one: the next attempts begin quickly again. */
const GOOD_MS = 5000;

export class ReconnectingSocket {
  readonly #conf: SocketConf;
  #socket: WebSocket | null = null;
  #attempt = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(conf: SocketConf) {
    this.#conf = conf;
    this.#open();
    addEventListener('online', () => this.retry());
  }

  get isOpen(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  send(message: ClientMessage): void {
    if (this.isOpen) this.#socket?.send(JSON.stringify(message));
  }

  /** Does not wait for the next attempt. */
  retry(): void {
    if (this.#socket !== null) return;
    this.#open();
  }

  /** Leaves this socket, and what the server may still answer on it, for a new one. */
  renew(): void {
    const socket = this.#socket;
    if (socket !== null) {
      socket.onmessage = null;
      socket.onclose = null;
      socket.close();
    }
    this.#open();
  }

  #open(): void {
    clearTimeout(this.#retry);
    const address = new URL('/ws', location.href);
    address.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(address);
    let openedAt: number | null = null;
    socket.onopen = () => {
      openedAt = performance.now();
    };
    socket.onmessage = ({ data }) => this.#conf.onMessage(JSON.parse(String(data)) as ServerMessage);
    socket.onclose = () => {
      this.#socket = null;
      if (openedAt !== null && performance.now() - openedAt > GOOD_MS) this.#attempt = 0;
      this.#retry = setTimeout(() => this.#open(), backoffMs(this.#attempt++));
      if (openedAt !== null) this.#conf.onDown('lost');
      else void this.#probe();
    };
    this.#socket = socket;
  }

  /** A socket that cannot be opened does not tell why; the server's readiness does. */
  async #probe(): Promise<void> {
    const status = await fetch('/readyz', { cache: 'no-store' }).then(
      (answer) => answer.status,
      () => 0,
    );
    // The token was changed, or the cookie is gone: the page that comes then asks for it.
    if (status === 200 && (await isLocked())) location.reload();
    if (!this.isOpen) this.#conf.onDown(status === 503 ? 'unready' : 'unreachable');
  }
}

const isLocked = (): Promise<boolean> =>
  fetch('/api/status', { cache: 'no-store' }).then(
    ({ status }) => status === 401,
    () => false,
  );
