/** A WHEP viewer that takes nothing but H.264, as hardware does: libdatachannel, and FaceOff's own receiver behind it. */

import type { H264Libraries } from '../../src/server/h264/h264-packages.ts';
import type { AccessUnit } from '../../src/server/rtp/h264-depacketizer.ts';
import { PictureReceiver } from '../../src/server/rtp/picture-receiver.ts';
import { parseRtcp, type RtcpMessage, writeNack, writePli } from '../../src/server/rtp/rtcp.ts';
import { isRtcp, parseRtp } from '../../src/server/rtp/rtp-packet.ts';

interface Track {
  onMessage(callback: (data: Buffer) => void): void;
  sendMessageBinary(data: Buffer): boolean;
}
interface Connection {
  addTrack(media: object): Track;
  setLocalDescription(type: string): void;
  localDescription(): { sdp: string };
  setRemoteDescription(sdp: string, type: string): void;
  close(): void;
}
interface Library {
  PeerConnection: new (name: string, options: object) => Connection;
  Video: new (mid: string, direction: string) => { addH264Codec(payloadType: number, profile: string): void };
}

export class H264Watcher {
  readonly #connection: Connection;
  readonly #track: Track;
  readonly #receiver: PictureReceiver;
  readonly #timer: NodeJS.Timeout;
  #ssrc = 0;
  /** Pictures that could be decoded, in order. */
  readonly units: AccessUnit[] = [];
  readonly messages: RtcpMessage[] = [];
  location = '';

  constructor({ transport }: H264Libraries, { keepsUnits = true }: { keepsUnits?: boolean } = {}) {
    const { PeerConnection, Video } = transport as unknown as Library;
    this.#connection = new PeerConnection('viewer', { iceServers: [], disableAutoNegotiation: true });
    const video = new Video('0', 'RecvOnly');
    video.addH264Codec(96, 'profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1');
    this.#track = this.#connection.addTrack(video);
    this.#receiver = new PictureReceiver({
      onUnit: (unit) => {
        this.units.push(keepsUnits ? unit : { ...unit, data: Buffer.alloc(0) });
      },
      onSets: () => undefined,
      onMissing: (sequences) => this.#track.sendMessageBinary(writeNack(1, this.#ssrc, sequences)),
      onKeyframeNeeded: () => this.requestKeyframe(),
    });
    this.#track.onMessage((data) => {
      if (isRtcp(data)) this.messages.push(...parseRtcp(data));
      else {
        const packet = parseRtp(data)!;
        this.#ssrc = packet.ssrc;
        this.#receiver.push(packet, performance.now());
      }
    });
    this.#timer = setInterval(() => this.#receiver.tick(performance.now()), 10);
  }

  requestKeyframe(): void {
    this.#track.sendMessageBinary(writePli(1, this.#ssrc));
  }

  /** Asks for a stream. @returns the HTTP answer, already applied when it is 201. */
  async whep(url: string, stream: string): Promise<Response> {
    this.#connection.setLocalDescription('offer');
    const answer = await fetch(`${url}/whep/${stream}`, {
      method: 'POST',
      headers: { 'content-type': 'application/sdp' },
      // As OBS offers. With candidates the server's first check may come before its answer, which libdatachannel takes ill.
      body: this.#connection.localDescription().sdp.replace(/^a=(candidate:|end-of-candidates).*\r\n/gm, ''),
    });
    if (answer.status !== 201) return answer;
    this.location = url + answer.headers.get('location')!;
    this.#connection.setRemoteDescription(await answer.clone().text(), 'answer');
    return answer;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#connection.close();
  }
}
