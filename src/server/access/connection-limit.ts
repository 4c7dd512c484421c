import type { Server, Socket } from 'node:net';
import type { Config } from '../../config.ts';
import { networkOf } from '../../lib/address.ts';

/** Tracks every TCP connection of the server, WebSockets and refused requests included, and limits them per address. */
export class ConnectionLimit {
  readonly #sockets = new Set<Socket>();
  readonly #byNetwork = new Map<string, number>();
  readonly #limits: Pick<Config['limits'], 'connectionsPerAddress'>;
  readonly #onFull: () => void;

  /**
   * @param limits `connectionsPerAddress` is the limit of open connections from one address, or from one IPv6 network;
   *   further connections are closed at once. 0 means no limit.
   * @param onFull called when an address reaches the limit; it is not told which address.
   */
  constructor(limits: Pick<Config['limits'], 'connectionsPerAddress'>, onFull: () => void) {
    this.#limits = limits;
    this.#onFull = onFull;
  }

  /** Applies the limit to all connections of a listener, HTTP or HTTPS. */
  watch(server: Server): void {
    server.on('connection', (socket: Socket) => this.#admit(socket));
  }

  /** Closes all connections at once. */
  destroyAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #admit(socket: Socket): void {
    const network = networkOf(socket.remoteAddress ?? '');
    const open = this.#byNetwork.get(network) ?? 0;
    const most = this.#limits.connectionsPerAddress;
    if (most > 0 && open >= most) {
      socket.destroy();
      return;
    }
    if (open + 1 === most) this.#onFull();
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
