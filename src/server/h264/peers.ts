import type { Config } from '../../config.ts';
import { isPackage } from '../../lib/installation.ts';
import type { Logger } from '../../lib/log.ts';
import { SerialQueue } from '../../lib/serial.ts';
import type { Sound } from '../../media/sound.ts';
import { FaceOffError, messageOf } from '../../shared/errors.ts';
import type { Traffic } from '../../shared/traffic.ts';
import type { Frame } from '../../shared/types.ts';
import type { IceCandidate, IceCredentials } from '../webrtc/ice-fragment.ts';
import { type BufferDelays, type MediaPeer, openWrtcPeers, Peer, type PeerListener } from '../webrtc/peer.ts';
import { checkPorts } from '../webrtc/port-range.ts';
import { badSdp, rebuildOffer } from '../webrtc/rebuild-offer.ts';
import { CODECS, readVideo } from '../webrtc/sdp.ts';
import { encodersFor } from './codec/encoders.ts';
import { SharedEncoders } from './codec/shared-encoder.ts';
import { type H264Libraries, loadH264 } from './h264-packages.ts';
import { H264Peer } from './h264-peer.ts';

let openH264 = 0;
/** Number of open peers of both kinds in this process, for /api/status and the leak tests. */
export const openPeers = (): number => openWrtcPeers() + openH264;

/** How people install what H.264 needs. */
export const H264_COMMAND = isPackage ? 'npx faceoff h264 install' : 'npm run h264:install';

/** What a peer belongs to. */
export interface PeerOwner {
  /** Identifies the stream whose frames the peer will send; peers of one stream share an encoder. */
  stream?: object;
  /** Its lines carry the id of the peer's session. */
  log?: Logger;
}

/** Opens the peers of a server: of one kind for VP8, VP9 and AV1, of another for H.264. */
export class Peers {
  readonly #config: Config;
  readonly #log: Logger;
  readonly #encoders: SharedEncoders;
  #isFaultLogged = false;

  constructor(config: Config, log: Logger) {
    this.#config = config;
    this.#log = log;
    this.#encoders = new SharedEncoders(encodersFor(config.webrtc.h264Encoder));
  }

  /** Opens a peer of the kind that its first offer asks for; its `answer` throws FaceOffError `ports_taken` (503) where no port is left for it. */
  open(listener: PeerListener, { stream = {}, log = this.#log }: PeerOwner = {}): MediaPeer {
    const { webrtc } = this.#config;
    return new OfferedPeer(
      listener.onFrame !== null,
      () => {
        checkPorts(webrtc, webrtc.h264Port > 0 ? openWrtcPeers() : openPeers());
        return new Peer(webrtc, listener);
      },
      async () => {
        // Not before there is a need: the native code takes a moment to load, and memory.
        const libraries = await this.#libraries(log);
        if (libraries === null) return null;
        if (webrtc.h264Port === 0) checkPorts(webrtc, openPeers());
        const parts = { config: webrtc, listener, libraries, encoders: this.#encoders, stream };
        const peer = new H264Peer({ ...parts, onFault: (error) => this.#logFault(error, log) });
        openH264++;
        return peer;
      },
    );
  }

  async #libraries(log: Logger): Promise<H264Libraries | null> {
    try {
      return await loadH264(this.#config.models.cacheDir);
    } catch (error) {
      log.error({ error: messageOf(error) }, 'the packages for H.264 do not load');
      return null;
    }
  }

  /** One line in the log is enough: a fault repeats with every picture. */
  #logFault(error: unknown, log: Logger): void {
    if (!this.#isFaultLogged) log.warn({ error: messageOf(error) }, 'pictures could not be encoded as H.264');
    this.#isFaultLogged = true;
  }
}

/** A peer of the kind that its first offer asks for; until then it keeps what is to be sent. */
class OfferedPeer implements MediaPeer {
  readonly #receives: boolean;
  readonly #open: () => MediaPeer;
  readonly #openH264: () => Promise<MediaPeer | null>;
  readonly #negotiations = new SerialQueue();
  #peer: MediaPeer | null = null;
  #isH264 = false;
  #message: string | null = null;
  #closed = false;

  /** @param receives whether the other side publishes. */
  constructor(receives: boolean, open: () => MediaPeer, openForH264: () => Promise<MediaPeer | null>) {
    this.#receives = receives;
    this.#open = open;
    this.#openH264 = openForH264;
  }

  get etag(): string {
    return this.#peer?.etag ?? '""';
  }

  get remoteUfrag(): string | null {
    return this.#peer?.remoteUfrag ?? null;
  }

  answer(offer: string, gather: boolean): Promise<string> {
    return this.#negotiations.run(async () => {
      this.#peer ??= await this.#choose(offer);
      if (this.#message !== null) this.#peer.sendMessage(this.#message);
      return this.#peer.answer(offer, gather);
    });
  }

  async addCandidate(candidate: IceCandidate): Promise<void> {
    // A candidate may overtake the work on the offer that it belongs to.
    await this.#negotiations.idle();
    if (this.#peer === null) throw new FaceOffError('bad_candidate', 'The ICE candidate came before any offer.');
    await this.#peer.addCandidate(candidate);
  }

  async restartIce(ice: IceCredentials, candidates: readonly IceCandidate[]): Promise<string> {
    if (this.#peer === null) throw badSdp('there was no offer yet');
    return this.#peer.restartIce(ice, candidates);
  }

  sendFrame(frame: Frame): void {
    this.#peer?.sendFrame(frame);
  }

  sendSound(sound: Sound): void {
    this.#peer?.sendSound(sound);
  }

  sendMessage(message: string): void {
    this.#message = message;
    this.#peer?.sendMessage(message);
  }

  async buffersMs(): Promise<BufferDelays | null> {
    return this.#peer?.buffersMs() ?? null;
  }

  async traffic(): Promise<Traffic | null> {
    return this.#peer?.traffic() ?? null;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#isH264) openH264--;
    this.#peer?.close();
  }

  async #choose(offer: string): Promise<MediaPeer> {
    const { codecs } = readVideo(rebuildOffer(offer));
    const needsH264 = codecs.includes('H264') && !codecs.some((codec) => CODECS.includes(codec));
    // One encoder serves all viewers in H.264; a publisher is better off where the bit rate follows the network.
    const prefersH264 = !this.#receives && codecs[0] === 'H264';
    const h264 = needsH264 || prefersH264 ? await this.#openH264() : null;
    const peer = h264 ?? (needsH264 ? null : this.#open());
    if (peer === null)
      throw new FaceOffError(
        'no_codec',
        `The offer's video codec is H.264, which is not installed here. Offer VP8, VP9 or AV1, or install it on the server: ${H264_COMMAND}.`,
      );
    this.#isH264 = h264 !== null;
    if (!this.#closed) return peer;
    if (this.#isH264) openH264--;
    peer.close();
    throw new FaceOffError('session_closed', 'The session was closed while it was being answered.');
  }
}
