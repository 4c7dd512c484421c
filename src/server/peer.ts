/**
 * One WebRTC peer: pictures in, pictures out. The only place that knows @roamhq/wrtc, which must stay on the main thread.
 */

import wrtc, { type IceCandidate, type RTCPeerConnection } from '@roamhq/wrtc';
import type { Config } from '../config.ts';
import { FaceOffError } from '../errors.ts';
import type { Frame } from '../pipeline/types.ts';
import { DECODABLE, iceUfrag, looksLikeSdp, readVideo, withBitrates } from './sdp.ts';
import { upright } from './upright.ts';

export type { IceCandidate };
export type PeerState = RTCPeerConnection['connectionState'];

export interface PeerListener {
  onFrame(frame: Frame): void;
  onState(state: PeerState): void;
  onCandidate(candidate: IceCandidate | null): void;
}

/** Peers open in this process, for /api/status and the leak tests. */
let open = 0;
export const openPeers = (): number => open;

const GATHERING_MS = 2000;

export class Peer {
  readonly #config: Config['webrtc'];
  readonly #listener: PeerListener;
  readonly #connection: RTCPeerConnection;
  readonly #source = new wrtc.nonstandard.RTCVideoSource();
  readonly #outgoing = this.#source.createTrack();
  #incoming: { track: unknown; sink: InstanceType<typeof wrtc.nonstandard.RTCVideoSink> } | null = null;
  #closed = false;
  #remoteUfrag: string | null = null;

  constructor(config: Config['webrtc'], listener: PeerListener) {
    this.#config = config;
    this.#listener = listener;
    const { iceServers, portMin, portMax } = config;
    this.#connection = new wrtc.RTCPeerConnection({
      // An absent user name must be absent, not undefined.
      iceServers: iceServers.map(({ urls, username, credential }) => ({
        urls,
        ...(username && { username }),
        ...(credential && { credential }),
      })),
      ...(portMax > 0 && { portRange: { min: portMin, max: portMax } }),
    });
    this.#connection.onconnectionstatechange = () => listener.onState(this.#connection.connectionState);
    this.#connection.onicecandidate = ({ candidate }) => {
      listener.onCandidate(
        candidate && {
          candidate: candidate.candidate,
          sdpMid: candidate.sdpMid,
          sdpMLineIndex: candidate.sdpMLineIndex,
        },
      );
    };
    open++;
  }

  get remoteUfrag(): string | null {
    return this.#remoteUfrag;
  }

  /**
   * Answers an offer, the first or a later one. The swapped video goes back on the first section that wants to receive.
   * @param gather wait until the answer holds every candidate, for those who cannot trickle.
   * @throws FaceOffError `bad_sdp` (400), `no_video` (422), `no_codec` (406).
   */
  async answer(offer: string, gather: boolean): Promise<string> {
    if (!looksLikeSdp(offer)) throw badSdp('it is not an SDP');
    const { directions, codecs } = readVideo(offer);
    if (!directions.some((direction) => direction === 'sendrecv' || direction === 'sendonly')) {
      throw new FaceOffError('no_video', 'The offer sends no video. Offer a video section with the camera in it.', {
        status: 422,
      });
    }
    if (!codecs.some((codec) => DECODABLE.includes(codec))) {
      const offered = codecs.filter((codec) => !/^(RTX|RED|ULPFEC|FLEXFEC.*)$/.test(codec)).join(', ') || 'none';
      throw new FaceOffError(
        'no_codec',
        `The offer's video codecs (${offered}) cannot be decoded here. Offer VP8, VP9 or AV1.`,
        { status: 406 },
      );
    }
    try {
      await this.#connection.setRemoteDescription({ type: 'offer', sdp: withBitrates(offer, this.#config) });
      this.#remoteUfrag = iceUfrag(offer);
      await this.#wire(directions);
      await this.#connection.setLocalDescription(await this.#connection.createAnswer());
    } catch (cause) {
      throw badSdp(cause instanceof Error ? cause.message : String(cause), cause);
    }
    if (gather) await this.#gathered();
    if (this.#closed)
      throw new FaceOffError('session_closed', 'The session was closed while it was being answered.', { status: 410 });
    return withBitrates(this.#connection.localDescription!.sdp, this.#config);
  }

  /** @throws FaceOffError `bad_candidate` (400). */
  async addCandidate({ candidate, sdpMid, sdpMLineIndex }: IceCandidate): Promise<void> {
    try {
      // The library wants what is not known left out; null is refused.
      await this.#connection.addIceCandidate({
        candidate,
        ...(sdpMid !== null && { sdpMid }),
        ...(sdpMLineIndex !== null && { sdpMLineIndex }),
      });
    } catch (cause) {
      throw new FaceOffError('bad_candidate', 'The ICE candidate could not be used.', { status: 400, cause });
    }
  }

  /** Shows a picture to the other side; the data is copied. */
  send({ width, height, data }: Frame): void {
    if (!this.#closed) this.#source.onFrame({ width, height, data });
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    open--;
    const connection = this.#connection;
    connection.onconnectionstatechange = null;
    connection.onicecandidate = null;
    connection.onicegatheringstatechange = null;
    if (this.#incoming !== null) {
      this.#incoming.sink.onframe = null;
      this.#incoming.sink.stop();
      this.#incoming = null;
    }
    this.#outgoing.stop();
    connection.close();
  }

  /** Connects the sink to what the other side sends and the source to where it wants to receive. */
  async #wire(directions: readonly string[]): Promise<void> {
    const videos = this.#connection
      .getTransceivers()
      .filter((t) => t.receiver.track.kind === 'video' && t.mid !== null);
    const sends = videos[directions.findIndex((d) => d === 'sendrecv' || d === 'sendonly')];
    const receives = videos[directions.findIndex((d) => d === 'sendrecv' || d === 'recvonly')];
    if (sends !== undefined && this.#incoming?.track !== sends.receiver.track) {
      this.#incoming?.sink.stop();
      const sink = new wrtc.nonstandard.RTCVideoSink(sends.receiver.track);
      sink.onframe = ({ frame: { width, height, rotation, data } }) => {
        this.#listener.onFrame(upright({ width, height, data, receivedAtMs: performance.now() }, rotation));
      };
      this.#incoming = { track: sends.receiver.track, sink };
    }
    if (receives === undefined) return;
    await receives.sender.replaceTrack(this.#outgoing);
    receives.direction = receives === sends ? 'sendrecv' : 'sendonly';
  }

  async #gathered(): Promise<void> {
    const connection = this.#connection;
    if (connection.iceGatheringState === 'complete') return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, GATHERING_MS);
      connection.onicegatheringstatechange = () => {
        if (connection.iceGatheringState === 'complete') resolve();
      };
    });
    clearTimeout(timer);
    connection.onicegatheringstatechange = null;
  }
}

function badSdp(why: string, cause?: unknown): FaceOffError {
  return new FaceOffError('bad_sdp', `The session description cannot be used: ${why}.`, { status: 400, cause });
}
