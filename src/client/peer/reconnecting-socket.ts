/** The WebSocket to the server. */

import type { ClientMessage, ServerMessage } from '../../shared/messages.ts';
import { backoffMs } from '../lib/backoff.ts';
import { serverUrl } from '../lib/server-url.ts';

/**
 * `lost`: the socket was open. `unready`, `unreachable`: it could not be opened, and what the server's readiness says.
 */
export type DownReason = 'lost' | 'unready' | 'unreachable';

/** What the socket's owner is told. */
export interface SocketConf {
  onMessage(message: ServerMessage): void;
  onDown(reason: DownReason): void;
}

/** After a socket that was open so long, the back-off starts from its beginning. */
const STABLE_MS = 5000;

/**
 * Opens when it is made, and again with back-off whenever it breaks. It is never closed: it lives as long as the page.
 */
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

  /** Sends a message; dropped while the socket is not open. */
  send(message: ClientMessage): void {
    if (this.isOpen) this.#socket?.send(JSON.stringify(message));
  }

  /** Opens now rather than when the back-off ends. */
  retry(): void {
    if (this.#socket !== null) return;
    this.#open();
  }

  /** Replaces the socket by a new one, and ignores what the server may still answer on the old one. */
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
    const address = new URL(serverUrl('/ws'));
    address.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(address);
    let openedAt: number | null = null;
    socket.onopen = () => {
      openedAt = performance.now();
    };
    socket.onmessage = ({ data }) => this.#conf.onMessage(JSON.parse(String(data)) as ServerMessage);
    socket.onclose = () => {
      this.#socket = null;
      if (openedAt !== null && performance.now() - openedAt > STABLE_MS) this.#attempt = 0;
      this.#retry = setTimeout(() => this.#open(), backoffMs(this.#attempt++));
      if (openedAt !== null) this.#conf.onDown('lost');
      else void this.#probe();
    };
    this.#socket = socket;
  }

  /** Asks for the server's readiness: a socket that cannot be opened does not say why. */
  async #probe(): Promise<void> {
    const status = await fetch(serverUrl('/readyz'), { cache: 'no-store' }).then(
      (answer) => answer.status,
      () => 0,
    );
    // The token was changed, or the cookie is gone: the server answers a reload with the login page.
    if (status === 200 && (await isLocked())) location.reload();
    if (!this.isOpen) this.#conf.onDown(status === 503 ? 'unready' : 'unreachable');
  }
}

const isLocked = (): Promise<boolean> =>
  fetch(serverUrl('/api/status'), { cache: 'no-store' }).then(
    ({ status }) => status === 401,
    () => false,
  );
