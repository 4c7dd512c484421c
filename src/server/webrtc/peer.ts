import wrtc, { type DataChannel, type MediaTrack, type RTCPeerConnection, type Transceiver } from '@roamhq/wrtc';
import type { Config } from '../../config.ts';
import type { Logger } from '../../lib/log.ts';
import { SerialQueue } from '../../lib/serial.ts';
import type { Sound } from '../../media/sound.ts';
import { FaceOffError, messageOf } from '../../shared/errors.ts';
import type { Traffic } from '../../shared/traffic.ts';
import type { Frame } from '../../shared/types.ts';
import { type AnnouncedAddresses, announcedAddresses } from './announce.ts';
import { type IceCandidate, type IceCredentials, iceFragmentOf, withIce } from './ice-fragment.ts';
import { iceServersOf } from './ice-servers.ts';
import { badSdp, isCandidate, MOST_TRICKLED, rebuildOffer } from './rebuild-offer.ts';
import {
  CODECS,
  type Direction,
  iceUfrag,
  inOneStream,
  readDirections,
  readVideo,
  type VideoOffer,
  withBitrates,
  withCandidates,
} from './sdp.ts';
import { isNativeOffer, withOneLayer } from './simulcast.ts';
import { upright } from './upright.ts';

/** State of the connection (W3C RTCPeerConnectionState). */
export type PeerState = RTCPeerConnection['connectionState'];

/** What a peer delivers to its owner. */
export interface PeerListener {
  /** Gets each incoming frame, upright; null for a peer that only sends. */
  onFrame: ((frame: Frame) => void) | null;
  /** Gets incoming sound, ten milliseconds at a time; null for a peer that only sends. */
  onSound: ((sound: Sound) => void) | null;
  onState(state: PeerState): void;
  onCandidate(candidate: IceCandidate | null): void;
}

/** Mean time that incoming media wait between network and delivery, in milliseconds. */
export interface BufferDelays {
  sound: number;
  picture: number;
}

/** The part of a peer that negotiates its connection: offers, candidates and ICE restarts. */
export interface PeerEndpoint {
  /** Entity tag of the ICE session, quotes included: this side's ICE user name, which changes with the session. */
  readonly etag: string;
  /** The client's ICE user name, which tells an ICE restart from a further candidate; null before the first offer. */
  readonly remoteUfrag: string | null;
  /**
   * Answers the first or a later offer. Frames go out on the first video section that wants to receive.
   * @param gather whether to wait until the answer holds every candidate, for clients that cannot trickle.
   * @throws FaceOffError `bad_sdp` (400), `offer_too_large` (413), `no_video` (422), `no_codec` (406),
   *   `session_closed` (410).
   */
  answer(offer: string, gather: boolean): Promise<string>;
  /** Adds a candidate of the client. @throws FaceOffError `bad_candidate` (400). */
  addCandidate(candidate: IceCandidate): Promise<void>;
  /**
   * Begins another ICE session and keeps everything else as agreed; a failure leaves the current session as it is.
   * @returns this side of the new session, as an SDP fragment.
   * @throws FaceOffError `bad_sdp` (400), `session_closed` (410).
   */
  restartIce(ice: IceCredentials, candidates: readonly IceCandidate[]): Promise<string>;
}

/** The part of a peer that carries media. */
export interface MediaLink {
  /** Sends a frame; the data is copied. */
  sendFrame(frame: Frame): void;
  /** Sends ten milliseconds of sound, if the other side receives sound. */
  sendSound(sound: Sound): void;
  /**
   * Sends a message on the data channel that the other side opened, unless it was the last one sent. A channel that
   * opens later gets the last message as well.
   */
  sendMessage(message: string): void;
  /** Means since the last call; null while sound or pictures do not arrive. */
  buffersMs(): Promise<BufferDelays | null>;
  /** Packet statistics of the video since the last call; null if there were too few packets. */
  traffic(): Promise<Traffic | null>;
  /** Idempotent. */
  close(): void;
}

/** A peer as sessions and viewers of the server use it. */
export interface MediaPeer extends MediaLink, PeerEndpoint {}

/** Opens the peers of publishers; each is connected afterwards. */
export interface PeerSource<P extends MediaLink = MediaPeer> {
  /** @param owner whose log the peer's faults go to. */
  open(listener: PeerListener, owner?: { log?: Logger }): P;
}

let open = 0;
/** Number of open peers of this kind in this process. */
export const openWrtcPeers = (): number => open;

let connecting = 0;
/** Number of open peers in this process that have not connected yet. */
export const connectingPeers = (): number => connecting;

const GATHERING_MS = 2000;
/** A share of fewer packets than this is not reported. */
const FEWEST_PACKETS = 20;

/**
 * One WebRTC peer: receives frames and sound, sends frames and sound. Together with `whep-client.ts` the home of
 * @roamhq/wrtc, which must stay on the main thread.
 */
export class Peer implements MediaPeer {
  readonly #config: Config['webrtc'];
  readonly #listener: PeerListener;
  readonly #announced: AnnouncedAddresses;
  readonly #connection: RTCPeerConnection;
  /** Denoising would add a quarter to the cost of encoding, and would remove detail. */
  readonly #source = new wrtc.nonstandard.RTCVideoSource({ isScreencast: false, needsDenoising: false });
  readonly #outgoing = this.#source.createTrack();
  #incoming: { track: unknown; sink: InstanceType<typeof wrtc.nonstandard.RTCVideoSink> } | null = null;
  /** Created when the other side wants to receive sound. */
  #outgoingSound: { source: InstanceType<typeof wrtc.nonstandard.RTCAudioSource>; track: MediaTrack } | null = null;
  #incomingSound: { track: unknown; sink: InstanceType<typeof wrtc.nonstandard.RTCAudioSink> } | null = null;
  readonly #soundWait = new IntervalMean();
  readonly #pictureWait = new IntervalMean();
  /** Packet counts of incoming video at the last call of `traffic`. */
  #packets = { received: 0, lost: 0 };
  #channel: DataChannel | null = null;
  /** The last message, for a channel that opens later, and the last message that was sent on the channel. */
  #message: string | null = null;
  #sentMessage: string | null = null;
  #closed = false;
  #isConnecting = true;
  #offer: string | null = null;
  /** Number of candidates that arrived after the offer. */
  #trickled = 0;
  /**
   * This side's ICE user name and candidates, from the answer and the candidate events. The library's
   * `localDescription` must not be read: it is serialised on this thread while another thread still adds to it,
   * which can end the process.
   */
  #ufrag = '';
  #localCandidates: IceCandidate[] = [];
  /** Answers offers one after another. */
  readonly #negotiations = new SerialQueue();

  constructor(config: Config['webrtc'], listener: PeerListener) {
    this.#config = config;
    this.#listener = listener;
    this.#announced = announcedAddresses(config.announce);
    const { portMin, portMax } = config;
    this.#connection = new wrtc.RTCPeerConnection({
      iceServers: iceServersOf(config),
      ...(portMax > 0 && { portRange: { min: portMin, max: portMax } }),
    });
    this.#connection.onconnectionstatechange = () => {
      const { connectionState } = this.#connection;
      if (connectionState === 'connected') this.#settle();
      listener.onState(connectionState);
    };
    this.#connection.ondatachannel = ({ channel }) => this.#useChannel(channel);
    this.#connection.onicecandidate = ({ candidate }) => {
      const local = candidate && {
        candidate: candidate.candidate,
        sdpMid: candidate.sdpMid,
        sdpMLineIndex: candidate.sdpMLineIndex,
      };
      const all = local === null ? [null] : [local, ...this.#announced.at(local)];
      for (const one of all) {
        if (one !== null) this.#localCandidates.push(one);
        listener.onCandidate(one);
      }
    };
    open++;
    connecting++;
  }

  /** The peer has connected, or is closed. Idempotent. */
  #settle(): void {
    if (this.#isConnecting) connecting--;
    this.#isConnecting = false;
  }

  get remoteUfrag(): string | null {
    return this.#offer === null ? null : iceUfrag(this.#offer);
  }

  get etag(): string {
    return `"${this.#ufrag}"`;
  }

  answer(offer: string, gather: boolean): Promise<string> {
    return this.#negotiations.run(async () => {
      const rebuilt = rebuildOffer(offer);
      checkVideo(readVideo(rebuilt), this.#listener.onFrame !== null);
      const answer = withOneLayer(await this.#negotiate(rebuilt, [], gather), rebuilt, isNativeOffer(offer));
      return inOneStream(withBitrates(answer, this.#config));
    });
  }

  restartIce(ice: IceCredentials, candidates: readonly IceCandidate[]): Promise<string> {
    return this.#negotiations.run(async () => {
      if (this.#offer === null) throw badSdp('there was no offer yet');
      return iceFragmentOf(await this.#negotiate(withIce(this.#offer, ice), candidates, true));
    });
  }

  /** @param offer a rebuilt offer: libwebrtc must not get any other. */
  async #negotiate(offer: string, candidates: readonly IceCandidate[], gather: boolean): Promise<string> {
    await this.#announced.refresh();
    let answer: string;
    try {
      await this.#connection.setRemoteDescription({ type: 'offer', sdp: withBitrates(offer, this.#config) });
      this.#offer = offer;
      this.#trickled = 0;
      await this.#connectFrames(readVideo(offer).directions);
      await this.#connectSound(readDirections(offer, 'audio'));
      const made = await this.#connection.createAnswer();
      answer = made.sdp;
      this.#ufrag = iceUfrag(answer) ?? '';
      await this.#connection.setLocalDescription(made);
    } catch (cause) {
      throw badSdp(messageOf(cause), cause);
    }
    // A candidate that does not fit is skipped: the others do.
    for (const candidate of candidates) await this.addCandidate(candidate).catch(() => undefined);
    if (gather) await this.#waitForCandidates();
    if (this.#closed) throw new FaceOffError('session_closed', 'The session was closed while it was being answered.');
    return gather ? withCandidates(answer, this.#currentCandidates()) : answer;
  }

  /** Local candidates of the current ICE session; those of the session before it may arrive late. */
  #currentCandidates(): IceCandidate[] {
    this.#localCandidates = this.#localCandidates.filter(({ candidate }) => candidate.split(' ').includes(this.#ufrag));
    return this.#localCandidates;
  }

  async addCandidate({ candidate, sdpMid, sdpMLineIndex }: IceCandidate): Promise<void> {
    // Some clients send an empty candidate as the end of candidates.
    if (candidate === '') return;
    try {
      if (!isCandidate(candidate)) throw new Error('malformed');
      if (++this.#trickled > MOST_TRICKLED) throw new Error('too many');
      // The library refuses null: unknown fields have to be left out.
      await this.#connection.addIceCandidate({
        candidate,
        ...(sdpMid !== null && { sdpMid }),
        ...(sdpMLineIndex !== null && { sdpMLineIndex }),
      });
    } catch (cause) {
      throw new FaceOffError('bad_candidate', 'The ICE candidate could not be used.', { cause });
    }
  }

  sendFrame({ width, height, data }: Frame): void {
    if (!this.#closed) this.#source.onFrame({ width, height, data });
  }

  sendSound(sound: Sound): void {
    if (!this.#closed) this.#outgoingSound?.source.onData(sound);
  }

  sendMessage(message: string): void {
    this.#message = message;
    if (this.#closed || this.#sentMessage === message || this.#channel?.readyState !== 'open') return;
    this.#channel.send(message);
    this.#sentMessage = message;
  }

  async buffersMs(): Promise<BufferDelays | null> {
    if (this.#closed || this.#incomingSound === null) return null;
    const inbound = [...(await this.#connection.getStats()).values()].filter(({ type }) => type === 'inbound-rtp');
    const audio = inbound.find(({ kind }) => kind === 'audio');
    const video = inbound.find(({ kind }) => kind === 'video');
    const sound = this.#soundWait.mean(audio?.jitterBufferDelay, audio?.jitterBufferEmittedCount);
    const picture = this.#pictureWait.mean(video?.totalProcessingDelay, video?.framesDecoded);
    return sound === null || picture === null ? null : { sound, picture };
  }

  async traffic(): Promise<Traffic | null> {
    if (this.#closed) return null;
    const entries = [...(await this.#connection.getStats()).values()].filter(({ kind }) => kind === 'video');
    const inbound = entries.find(({ type }) => type === 'inbound-rtp');
    const remote = entries.find(({ type }) => type === 'remote-inbound-rtp');
    const { packetsReceived = 0, packetsLost = 0, jitter = 0 } = inbound ?? {};
    const received = packetsReceived - this.#packets.received;
    const lost = packetsLost - this.#packets.lost;
    this.#packets = { received: packetsReceived, lost: packetsLost };
    if (received + lost < FEWEST_PACKETS) return null;
    const lostIn = Math.max(0, lost) / (received + Math.max(0, lost));
    return { lostIn, lostOut: remote?.fractionLost ?? 0, jitterMs: 1000 * jitter };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    open--;
    this.#settle();
    const connection = this.#connection;
    connection.onconnectionstatechange = null;
    connection.onicecandidate = null;
    connection.onicegatheringstatechange = null;
    if (this.#incoming !== null) {
      this.#incoming.sink.onframe = null;
      this.#incoming.sink.stop();
      this.#incoming = null;
    }
    if (this.#incomingSound !== null) {
      this.#incomingSound.sink.ondata = null;
      this.#incomingSound.sink.stop();
      this.#incomingSound = null;
    }
    connection.ondatachannel = null;
    if (this.#channel !== null) this.#channel.onopen = null;
    this.#channel = null;
    this.#outgoingSound?.track.stop();
    this.#outgoingSound = null;
    this.#outgoing.stop();
    connection.close();
  }

  /** Connects the sink to the first video section that sends, and the source to the first one that receives. */
  async #connectFrames(directions: readonly string[]): Promise<void> {
    const videos = this.#transceivers('video');
    const sends = videos[directions.findIndex((d) => d === 'sendrecv' || d === 'sendonly')];
    const receives = videos[directions.findIndex((d) => d === 'sendrecv' || d === 'recvonly')];
    const { onFrame } = this.#listener;
    if (onFrame !== null && sends !== undefined) this.#receiveFrames(sends, onFrame);
    if (receives === undefined) return;
    await receives.sender.replaceTrack(this.#outgoing);
    receives.direction = receives === sends && onFrame !== null ? 'sendrecv' : 'sendonly';
  }

  /** Connects sound in the same way; a section without a counterpart stays unused. */
  async #connectSound(directions: readonly Direction[]): Promise<void> {
    const sections = this.#transceivers('audio');
    const sends = sections[directions.findIndex((d) => d === 'sendrecv' || d === 'sendonly')];
    const { onSound } = this.#listener;
    if (onSound !== null) {
      if (sends !== undefined) this.#receiveSound(sends, onSound);
      return;
    }
    const receives = sections[directions.findIndex((d) => d === 'sendrecv' || d === 'recvonly')];
    if (receives === undefined) return;
    if (this.#outgoingSound === null) {
      const source = new wrtc.nonstandard.RTCAudioSource();
      this.#outgoingSound = { source, track: source.createTrack() };
    }
    await receives.sender.replaceTrack(this.#outgoingSound.track);
    receives.direction = 'sendonly';
  }

  #transceivers(kind: 'audio' | 'video'): Transceiver[] {
    return this.#connection.getTransceivers().filter((t) => t.receiver.track.kind === kind && t.mid !== null);
  }

  #receiveSound({ receiver: { track } }: Transceiver, onSound: (sound: Sound) => void): void {
    if (this.#incomingSound?.track === track) return;
    this.#incomingSound?.sink.stop();
    const sink = new wrtc.nonstandard.RTCAudioSink(track);
    sink.ondata = ({ samples, sampleRate, channelCount, numberOfFrames }) =>
      onSound({ samples, sampleRate, channelCount, numberOfFrames, bitsPerSample: 16 });
    this.#incomingSound = { track, sink };
  }

  /** Uses the newest channel for messages to the other side; messages from the other side are ignored. */
  #useChannel(channel: DataChannel): void {
    if (this.#closed) return;
    this.#channel = channel;
    this.#sentMessage = null;
    const sendLast = (): void => {
      if (this.#message !== null) this.sendMessage(this.#message);
    };
    channel.onopen = sendLast;
    sendLast();
  }

  #receiveFrames({ receiver: { track } }: Transceiver, onFrame: (frame: Frame) => void): void {
    if (this.#incoming?.track === track) return;
    this.#incoming?.sink.stop();
    const sink = new wrtc.nonstandard.RTCVideoSink(track);
    sink.onframe = ({ frame: { width, height, rotation, data } }) => {
      onFrame(upright({ width, height, data, receivedAtMs: performance.now() }, rotation));
    };
    this.#incoming = { track, sink };
  }

  async #waitForCandidates(): Promise<void> {
    const connection = this.#connection;
    // After a restart the gathering state may still be that of the session before, but its candidates do not count.
    const isDone = (): boolean => connection.iceGatheringState === 'complete' && this.#currentCandidates().length > 0;
    if (isDone()) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, GATHERING_MS);
      connection.onicegatheringstatechange = () => {
        if (isDone()) resolve();
      };
    });
    clearTimeout(timer);
    connection.onicegatheringstatechange = null;
  }
}

/** Means over an interval, from WebRTC statistics that only count sums since the beginning. */
class IntervalMean {
  #seconds = 0;
  #count = 0;

  /**
   * Mean since the last call, in milliseconds; null if nothing was counted.
   * @param seconds, count the sums up to now.
   */
  mean(seconds = 0, count = 0): number | null {
    const newSeconds = seconds - this.#seconds;
    const newCount = count - this.#count;
    this.#seconds = seconds;
    this.#count = count;
    return newCount > 0 ? (1000 * newSeconds) / newCount : null;
  }
}

/**
 * Refuses an offer without usable video.
 * @param sends whether the other side has to send video, rather than receive it.
 */
function checkVideo({ directions, codecs }: VideoOffer, sends: boolean): void {
  const wanted = sends ? 'sendonly' : 'recvonly';
  if (!directions.some((direction) => direction === 'sendrecv' || direction === wanted)) {
    const message = sends
      ? 'The offer sends no video. Offer a video section with the camera in it.'
      : 'The offer takes no video. Offer a video section that is recvonly.';
    throw new FaceOffError('no_video', message);
  }
  if (codecs.some((codec) => CODECS.includes(codec))) return;
  const offered = codecs.filter((codec) => !/^(RTX|RED|ULPFEC|FLEXFEC.*)$/.test(codec)).join(', ') || 'none';
  throw new FaceOffError(
    'no_codec',
    `The offer's video codecs (${offered}) cannot be used here. Offer VP8, VP9 or AV1.`,
  );
}
