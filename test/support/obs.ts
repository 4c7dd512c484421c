/**
 * A publisher as OBS is one: libdatachannel with OBS's own handlers (H.264 packetizer, sender reports, answers to NACKs
 * from 4,000 kept packets, none to PLIs), one codec, its profile always called 42e01f, no candidates in the offer.
 */

import { OpusEncoder, pieceOf } from '../../src/server/h264/codec/opus.ts';
import type { H264Libraries } from '../../src/server/h264/h264-packages.ts';
import { sendIfOpen } from '../../src/server/h264/transport-library.ts';
import type { EncodedUnit } from './h264.ts';

interface Handler {
  addToChain(next: Handler): void;
}
interface RtpConfig {
  timestamp: number;
}
interface Track {
  setMediaHandler(handler: Handler): void;
  sendMessageBinary(data: Buffer): boolean;
  isOpen(): boolean;
}
interface Media {
  addSSRC(ssrc: number, name: string, stream: string, track: string): void;
  addH264Codec(payloadType: number, profile: string): void;
  addOpusCodec(payloadType: number): void;
}
interface Connection {
  addTrack(media: Media): Track;
  setLocalDescription(type: string): void;
  localDescription(): { sdp: string };
  setRemoteDescription(sdp: string, type: string): void;
  addRemoteCandidate(candidate: string, mid: string): void;
  state(): string;
  close(): void;
}
/** More of node-datachannel than FaceOff itself uses. */
interface Library {
  PeerConnection: new (name: string, options: object) => Connection;
  Video: new (mid: string, direction: string) => Media;
  Audio: new (mid: string, direction: string) => Media;
  RtpPacketizationConfig: new (ssrc: number, cname: string, payloadType: number, clockRate: number) => RtpConfig;
  H264RtpPacketizer: new (separator: string, config: RtpConfig, size?: number) => Handler;
  RtpPacketizer: new (config: RtpConfig) => Handler;
  RtcpSrReporter: new (config: RtpConfig) => Handler;
  RtcpNackResponder: new (kept: number) => Handler;
}

const STREAM = 'wz4dI4OmlYsCW2fv';

export class Obs {
  readonly #library: Library;
  readonly #libraries: H264Libraries;
  readonly #connection: Connection;
  readonly #video: { track: Track; config: RtpConfig };
  readonly #sound: { track: Track; config: RtpConfig };
  #timers: NodeJS.Timeout[] = [];
  #opus: OpusEncoder | null = null;
  /** Pictures sent so far. */
  sent = 0;
  location = '';

  constructor(libraries: H264Libraries) {
    this.#libraries = libraries;
    this.#library = libraries.transport as unknown as Library;
    const { PeerConnection, Video, Audio, H264RtpPacketizer, RtpPacketizer } = this.#library;
    this.#connection = new PeerConnection('obs', { iceServers: [], disableAutoNegotiation: true });
    const audio = new Audio('0', 'SendOnly');
    audio.addOpusCodec(111);
    const video = new Video('1', 'SendOnly');
    video.addH264Codec(96, 'profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1');
    this.#sound = this.#open(audio, [1_356_955_328, 111, 48_000], (config) => new RtpPacketizer(config));
    const packetizer = (config: RtpConfig): Handler => new H264RtpPacketizer('StartSequence', config, 1200);
    this.#video = this.#open(video, [1_356_955_329, 96, 90_000], packetizer);
  }

  #open(
    media: Media,
    [ssrc, payloadType, rate]: readonly [number, number, number],
    make: (config: RtpConfig) => Handler,
  ): { track: Track; config: RtpConfig } {
    const { RtpPacketizationConfig, RtcpSrReporter, RtcpNackResponder } = this.#library;
    media.addSSRC(ssrc, 'MeCQ2VJkPAw8wVKB', STREAM, `${STREAM}-${payloadType}`);
    const track = this.#connection.addTrack(media);
    const config = new RtpPacketizationConfig(ssrc, 'MeCQ2VJkPAw8wVKB', payloadType, rate);
    const handler = make(config);
    const reporter = new RtcpSrReporter(config);
    handler.addToChain(reporter);
    reporter.addToChain(new RtcpNackResponder(4000));
    track.setMediaHandler(handler);
    return { track, config };
  }

  get state(): string {
    return this.#connection.state();
  }

  /** The offer, without candidates. */
  offer(): string {
    this.#connection.setLocalDescription('offer');
    return this.#connection.localDescription().sdp.replace(/^a=(candidate:|end-of-candidates).*\r\n/gm, '');
  }

  /** Takes an answer. @param through changes where its candidates lead. */
  accept(answer: string): void {
    this.#connection.setRemoteDescription(answer, 'answer');
  }

  /** Publishes by WHIP. @returns the HTTP answer, already applied when it is 201. */
  async whip(url: string, query = '', headers: Record<string, string> = {}): Promise<Response> {
    const answer = await fetch(`${url}/whip${query}`, {
      method: 'POST',
      headers: { 'content-type': 'application/sdp', ...headers },
      body: this.offer(),
    });
    if (answer.status === 201) {
      this.location = url + answer.headers.get('location')!;
      this.accept(await answer.clone().text());
    }
    return answer;
  }

  /** Sends pictures over and over. */
  play(units: readonly EncodedUnit[], fps: number): void {
    let n = 0;
    const beganMs = performance.now();
    this.#timers.push(
      setInterval(() => {
        for (; n < ((performance.now() - beganMs) * fps) / 1000; n++) {
          const { track, config } = this.#video;
          config.timestamp = Math.round((90_000 * n) / fps) >>> 0;
          if (sendIfOpen(track, () => track.sendMessageBinary(units[n % units.length]!))) this.sent++;
        }
      }, 5),
    );
  }

  /** Hums while `isLoud` says so. */
  hum(isLoud: () => boolean = () => true): void {
    this.#opus = new OpusEncoder(this.#libraries.codec);
    let phase = 0;
    let n = 0;
    const beganMs = performance.now();
    const timer = setInterval(() => {
      for (; n < (performance.now() - beganMs) / 10; n++) {
        const level = isLoud() ? 12_000 : 0;
        const samples = Int16Array.from({ length: 480 }, () => {
          phase += 0.05;
          return level * Math.sin(phase);
        });
        const packet = this.#opus!.encode(pieceOf(samples, 1));
        const { track, config } = this.#sound;
        config.timestamp = (480 * n) >>> 0;
        if (packet !== null) sendIfOpen(track, () => track.sendMessageBinary(packet));
      }
    }, 5);
    this.#timers.push(timer);
  }

  silence(): void {
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
  }

  close(): void {
    this.silence();
    this.#opus?.close();
    this.#connection.close();
  }
}
