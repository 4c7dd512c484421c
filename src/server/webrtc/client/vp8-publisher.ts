import wrtc from '@roamhq/wrtc';
import type { Config } from '../../../config.ts';
import type { Sound } from '../../../media/sound.ts';
import type { Frame } from '../../../shared/types.ts';
import { iceServersOf } from '../ice-servers.ts';
import type { PeerState } from '../peer.ts';
import { withBitrates } from '../sdp.ts';
import { gatheredOffer } from './gathered-offer.ts';
import type { OfferingPeer } from './offering-peer.ts';

/** Publishes in VP8, VP9 or AV1, as the other server chooses. Must be used on the main thread. */
export class Vp8Publisher implements OfferingPeer {
  readonly #config: Config['webrtc'];
  readonly #connection;
  readonly #pictures = new wrtc.nonstandard.RTCVideoSource({ isScreencast: false, needsDenoising: false });
  readonly #sounds = new wrtc.nonstandard.RTCAudioSource();
  readonly #tracks = [this.#pictures.createTrack(), this.#sounds.createTrack()];
  #closed = false;

  constructor(config: Config['webrtc']) {
    this.#config = config;
    this.#connection = new wrtc.RTCPeerConnection({ iceServers: iceServersOf(config) });
    for (const track of this.#tracks) this.#connection.addTransceiver(track, { direction: 'sendonly' });
  }

  get state(): PeerState {
    return this.#connection.connectionState;
  }

  offer(): Promise<string> {
    return gatheredOffer(this.#connection);
  }

  accept(answer: string): Promise<void> {
    return this.#connection.setRemoteDescription({ type: 'answer', sdp: withBitrates(answer, this.#config) });
  }

  sendFrame({ width, height, data }: Frame): void {
    if (!this.#closed) this.#pictures.onFrame({ width, height, data });
  }

  sendSound(sound: Sound): void {
    if (!this.#closed) this.#sounds.onData(sound);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const track of this.#tracks) track.stop();
    this.#connection.close();
  }
}
