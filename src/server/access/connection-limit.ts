/** Every TCP connection to the server, WebSockets and refused ones included, with a limit for each address. */

import type { Server, Socket } from 'node:net';
import { networkOf } from '../../lib/address.ts';

export class ConnectionLimit {
  readonly #sockets = new Set<Socket>();
  readonly #byNetwork = new Map<string, number>();
  readonly #most: number;
  readonly #onFull: () => void;

  /**
   * @param most open connections from one address, or from one IPv6 network; a further one is closed at once. 0 counts none.
   * @param onFull told when an address has reached it; not which.
   */
  constructor(most: number, onFull: () => void) {
    this.#most = most;
    this.#onFull = onFull;
  }

  /** Looks after all connections of a listener, HTTPS or not. */
  watch(server: Server): void {
    server.on('connection', (socket: Socket) => this.#admit(socket));
  }

  destroyAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #admit(socket: Socket): void {
    const network = networkOf(socket.remoteAddress ?? '');
    const open = this.#byNetwork.get(network) ?? 0;
    if (this.#most > 0 && open >= this.#most) {
      socket.destroy();
      return;
    }
    if (open + 1 === this.#most) this.#onFull();
    this.#sockets.add(socket);
    this.#byNetwork.set(network, open + 1);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      const left = this.#byNetwork.get(network)! - 1;
      if (left > 0) this.#byNetwork.set(network, left);
      else this.#byNetwork.delete(network);
    });
  }
}
