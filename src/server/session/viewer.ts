import type { Config } from '../../config.ts';
import type { Sound } from '../../media/sound.ts';
import type { Frame } from '../../shared/types.ts';
import { disclosureHeader, disclosureMessage } from '../disclosure/disclosure-message.ts';
import { ConnectionTimeout } from '../webrtc/connection-timeout.ts';
import type { MediaPeer, PeerEndpoint, PeerListener } from '../webrtc/peer.ts';

/**
 * A client that watches a stream: a peer that only sends. It closes itself when it never connects or loses its
 * connection.
 */
export class Viewer {
  readonly id: string;
  readonly #peer: MediaPeer;
  readonly #connectionTimeout: ConnectionTimeout;
  readonly #onClose: (viewer: Viewer, why: string) => void;
  #connected = false;
  #closed = false;
  #modified = false;

  /**
   * @param openPeer opens the viewer's peer.
   * @param onClose called once, when the viewer has closed.
   */
  constructor(
    id: string,
    webrtc: Config['webrtc'],
    openPeer: (listener: PeerListener) => MediaPeer,
    onClose: (viewer: Viewer, why: string) => void,
  ) {
    this.id = id;
    this.#onClose = onClose;
    this.#connectionTimeout = new ConnectionTimeout(webrtc, (why) => this.close(why));
    this.#peer = openPeer({
      onFrame: null,
      onSound: null,
      onState: (state) => {
        this.#connected = state === 'connected';
        this.#connectionTimeout.onState(state);
      },
      onCandidate: () => undefined,
    });
  }

  /** Negotiates the connection. */
  get peer(): PeerEndpoint {
    return this.#peer;
  }

  /** Whether a frame would reach the client; a frame that would not need not be copied. */
  get isConnected(): boolean {
    return this.#connected && !this.#closed;
  }

  /** Sends a frame; its data is copied, which takes milliseconds. */
  sendFrame(frame: Frame): void {
    if (this.isConnected) this.#peer.sendFrame(frame);
  }

  /** Sends ten milliseconds of sound. */
  sendSound(sound: Sound): void {
    if (this.isConnected) this.#peer.sendSound(sound);
  }

  /** Tells the client whether the pictures are modified. */
  disclose(modified: boolean): void {
    this.#modified = modified;
    this.#peer.sendMessage(disclosureMessage(modified));
  }

  /** Additional headers of the HTTP reply to the client's offer. */
  get headers(): Record<string, string> {
    return disclosureHeader(this.#modified);
  }

  /** Idempotent; the peer and its timer are gone when it returns. */
  close(why: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connectionTimeout.close();
    this.#peer.close();
    this.#onClose(this, why);
  }
}
