/** What every page hears from the server over its WebSocket, and tells it, whatever carries its pictures. */

import type { CameraState, ClientMessage, ServerMessage } from '../../shared/messages.ts';
import type { ConnectionConf } from './connection-conf.ts';
import { type DownReason, ReconnectingSocket } from './reconnecting-socket.ts';

/** What the socket's owner is told. */
export interface PageSocketConf {
  /** Every message, once the page was told its news. */
  onMessage?(message: ServerMessage): void;
  onDown(reason: DownReason): void;
}

/** Brings the server's news to the page: faces, presets, the guide for a phone. Tells the server of the camera. */
export class PageSocket {
  readonly #page: ConnectionConf;
  readonly #owner: PageSocketConf;
  readonly #socket: ReconnectingSocket;
  /** What a new socket has to tell the server again. */
  #camera: CameraState = 'off';
  #isFollowing = false;

  constructor(page: ConnectionConf, owner: PageSocketConf) {
    this.#page = page;
    this.#owner = owner;
    this.#socket = new ReconnectingSocket({
      onMessage: (message) => this.#onMessage(message),
      onDown: (reason) => owner.onDown(reason),
    });
  }

  get isOpen(): boolean {
    return this.#socket.isOpen;
  }

  /** Sends a message; dropped while the socket is not open. */
  send(message: ClientMessage): void {
    this.#socket.send(message);
  }

  /** Opens now rather than when the back-off ends. */
  retry(): void {
    this.#socket.retry();
  }

  /** Replaces the socket by a new one, and ignores what the server may still answer on the old one. */
  renew(): void {
    this.#socket.renew();
  }

  /** Tells the server what became of the camera, for guides on other pages. */
  tellCamera(state: CameraState): void {
    if (state === this.#camera) return;
    this.#camera = state;
    this.#socket.send({ type: 'camera', state });
  }

  /** Begins or ends to ask how far a phone has come; `onGuide` is told. */
  follow(on: boolean): void {
    this.#isFollowing = on;
    this.#socket.send({ type: 'guide', on });
  }

  #onMessage(message: ServerMessage): void {
    switch (message.type) {
      case 'hello': {
        if (this.#camera !== 'off') this.#socket.send({ type: 'camera', state: this.#camera });
        if (this.#isFollowing) this.#socket.send({ type: 'guide', on: true });
        this.#page.onHello(message.defaults, message.locked);
        break;
      }
      case 'faces': {
        this.#page.onFaces(message.faces);
        break;
      }
      case 'presets': {
        this.#page.onPresets?.(message.presets);
        break;
      }
      case 'guide': {
        this.#page.onGuide?.(message.guide);
        break;
      }
      default: {
        break;
      }
    }
    this.#owner.onMessage?.(message);
  }
}
