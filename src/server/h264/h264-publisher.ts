import type { Config } from '../../config.ts';
import type { Sound } from '../../media/sound.ts';
import type { Frame } from '../../shared/types.ts';
import { parseRtcp } from '../rtp/rtcp.ts';
import { isRtcp } from '../rtp/rtp-packet.ts';
import type { OfferingPeer } from '../webrtc/client/offering-peer.ts';
import { iceServersOf } from '../webrtc/ice-servers.ts';
import type { PeerState } from '../webrtc/peer.ts';
import { encodersFor } from './codec/encoders.ts';
import { SharedEncoders } from './codec/shared-encoder.ts';
import type { H264Libraries } from './h264-packages.ts';
import { CNAME } from './h264-sdp.ts';
import { MediaSender } from './media-sender.ts';
import { sendIfOpen, type TransportConnection, type TransportTrack } from './transport-library.ts';
import { transportServers } from './transport-servers.ts';

const VIDEO = { payloadType: 102, fmtp: 'profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1' };
const SOUND = { payloadType: 111, fmtp: 'minptime=10;useinbandfec=1;stereo=1' };
const GATHERING_MS = 2000;
const REPORT_MS = 1000;

/** Publishes in H.264 and Opus, which is what most other servers take. Must be used on the main thread. */
export class H264Publisher implements OfferingPeer {
  readonly #connection: TransportConnection;
  readonly #sender: MediaSender;
  readonly #track: TransportTrack;
  readonly #reports: NodeJS.Timeout;
  #state: PeerState = 'new';
  #closed = false;

  constructor(config: Config['webrtc'], { transport, codec }: H264Libraries) {
    const encoders = new SharedEncoders(encodersFor(config.h264Encoder));
    this.#sender = new MediaSender({
      library: codec,
      openEncoder: (isLow) =>
        encoders.use(codec, this, {
          profile: 'baseline',
          isSliced: false,
          maxKbps: isLow ? config.minKbps : config.startKbps,
        }),
      formats: { video: VIDEO, sound: SOUND },
      send: (data) => {
        if (!this.#closed) sendIfOpen(this.#track, () => this.#track.sendMessageBinary(data));
      },
      // A fault costs a picture; the next one is tried.
      onFault: () => undefined,
    });
    this.#connection = new transport.PeerConnection('faceoff', {
      iceServers: transportServers(iceServersOf(config)),
      disableAutoNegotiation: true,
    });
    this.#connection.onStateChange((state) => {
      this.#state = state as PeerState;
    });
    const { ssrcs } = this.#sender;
    const video = new transport.Video('0', 'SendOnly');
    video.addH264Codec(VIDEO.payloadType, VIDEO.fmtp);
    video.addSSRC(ssrcs.video, CNAME, CNAME, `${CNAME}-video`);
    const sound = new transport.Audio('1', 'SendOnly');
    sound.addOpusCodec(SOUND.payloadType, SOUND.fmtp);
    sound.addSSRC(ssrcs.sound, CNAME, CNAME, `${CNAME}-audio`);
    this.#track = this.#connection.addTrack(video);
    for (const track of [this.#track, this.#connection.addTrack(sound)])
      track.onMessage((data) => {
        if (!this.#closed && isRtcp(data)) for (const message of parseRtcp(data)) this.#sender.heed(message);
      });
    this.#reports = setInterval(() => this.#sender.report(), REPORT_MS);
  }

  get state(): PeerState {
    return this.#state;
  }

  async offer(): Promise<string> {
    this.#connection.setLocalDescription('offer');
    const untilMs = performance.now() + GATHERING_MS;
    while (this.#connection.gatheringState() !== 'complete' && performance.now() < untilMs)
      await new Promise((resolve) => setTimeout(resolve, 5));
    return this.#connection.localDescription()?.sdp ?? '';
  }

  async accept(answer: string): Promise<void> {
    this.#connection.setRemoteDescription(answer, 'answer');
  }

  sendFrame(frame: Frame): void {
    if (!this.#closed) this.#sender.sendFrame(frame);
  }

  sendSound(sound: Sound): void {
    if (!this.#closed) this.#sender.sendSound(sound);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#reports);
    this.#sender.close();
    this.#connection.close();
  }
}
