/** One who looks on: a peer of its own that pictures are only sent to. */

import type { Config } from '../../config.ts';
import type { Frame } from '../../shared/types.ts';
import type { Sound } from '../audio/sound.ts';
import { disclosureHeader, disclosureMessage } from '../http/disclosure.ts';
import { ConnectionTimeout } from '../webrtc/connection-timeout.ts';
import type { IceCandidate, IceCredentials } from '../webrtc/ice-fragment.ts';
import { Peer } from '../webrtc/peer.ts';

export class Viewer {
  readonly id: string;
  readonly #peer: Peer;
  readonly #lifeline: ConnectionTimeout;
  readonly #onClose: (viewer: Viewer, why: string) => void;
  #connected = false;
  #closed = false;
  #modified = false;

  constructor(id: string, webrtc: Config['webrtc'], onClose: (viewer: Viewer, why: string) => void) {
    this.id = id;
    this.#onClose = onClose;
    this.#lifeline = new ConnectionTimeout(webrtc, (why) => this.close(why));
    this.#peer = new Peer(webrtc, {
      onFrame: null,
      onSound: null,
      onState: (state) => {
        this.#connected = state === 'connected';
        this.#lifeline.turn(state);
      },
      onCandidate: () => undefined,
    });
  }

  get etag(): string {
    return this.#peer.etag;
  }

  get remoteUfrag(): string | null {
    return this.#peer.remoteUfrag;
  }

  answer(offer: string): Promise<string> {
    return this.#peer.answer(offer, true);
  }

  addCandidate(candidate: IceCandidate): Promise<void> {
    return this.#peer.addCandidate(candidate);
  }

  restartIce(ice: IceCredentials, candidates: readonly IceCandidate[]): Promise<string> {
    return this.#peer.restartIce(ice, candidates);
  }

  /** Whether a picture would reach anyone; one that would not need not be copied. */
  get isConnected(): boolean {
    return this.#connected && !this.#closed;
  }

  show(frame: Frame): void {
    if (this.isConnected) this.#peer.send(frame);
  }

  hear(sound: Sound): void {
    if (this.isConnected) this.#peer.sound(sound);
  }

  /** Says whether the pictures are modified. */
  disclose(modified: boolean): void {
    this.#modified = modified;
    this.#peer.tell(disclosureMessage(modified));
  }

  /** What the answer to its offer says besides. */
  get headers(): Record<string, string> {
    return disclosureHeader(this.#modified);
  }

  /** Idempotent; the peer and its timer are gone when it returns. */
  close(why: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#lifeline.close();
    this.#peer.close();
    this.#onClose(this, why);
  }
}
