/**
 * One WebRTC peer: pictures and sound in, pictures and sound out. With `follow.ts` the home of @roamhq/wrtc, which must stay
 * on the main thread.
 */

import wrtc, { type DataChannel, type MediaTrack, type RTCPeerConnection, type Transceiver } from '@roamhq/wrtc';
import type { Config } from '../../config.ts';
import { FaceOffError } from '../../shared/errors.ts';
import type { Frame } from '../../shared/types.ts';
import type { Sound } from '../audio/sound.ts';
import type { Traffic } from '../monitor/verdict.ts';
import { type IceCandidate, type IceCredentials, iceFragmentOf, withIce } from './ice-fragment.ts';
import { iceServersOf } from './ice-servers.ts';
import { badSdp, isCandidate, rebuildOffer } from './rebuild-offer.ts';
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
import { upright } from './upright.ts';

export type PeerState = RTCPeerConnection['connectionState'];

export interface PeerListener {
  /** Null where pictures only go out. */
  onFrame: ((frame: Frame) => void) | null;
  /** Ten milliseconds at a time; null where sound only goes out. */
  onSound: ((sound: Sound) => void) | null;
  onState(state: PeerState): void;
  onCandidate(candidate: IceCandidate | null): void;
}

export interface Buffers {
  sound: number;
  picture: number;
}

/** Peers open in this process, for /api/status and the leak tests. */
let open = 0;
export const openPeers = (): number => open;

const GATHERING_MS = 2000;
/** Most candidates that come after an offer: libwebrtc compares each with all before it. */
const MOST_TRICKLED = 256;
/** Shares of fewer packets say nothing. */
const FEWEST_PACKETS = 20;

export class Peer {
  readonly #config: Config['webrtc'];
  readonly #listener: PeerListener;
  readonly #connection: RTCPeerConnection;
  /** Taking noise out is a quarter of what coding costs, and takes detail with it. */
  readonly #source = new wrtc.nonstandard.RTCVideoSource({ isScreencast: false, needsDenoising: false });
  readonly #outgoing = this.#source.createTrack();
  #incoming: { track: unknown; sink: InstanceType<typeof wrtc.nonstandard.RTCVideoSink> } | null = null;
  /** Made when the other side wants to hear something. */
  #voice: { source: InstanceType<typeof wrtc.nonstandard.RTCAudioSource>; track: MediaTrack } | null = null;
  #ear: { track: unknown; sink: InstanceType<typeof wrtc.nonstandard.RTCAudioSink> } | null = null;
  readonly #soundWait = new Sums();
  readonly #pictureWait = new Sums();
  /** Of pictures that come in, up to the last look. */
  #packets = { received: 0, lost: 0 };
  #channel: DataChannel | null = null;
  /** The last message, for a channel that opens later, and the last that was said. */
  #told: string | null = null;
  #said: string | null = null;
  #closed = false;
  #offer: string | null = null;
  /** Candidates that came since it. */
  #trickled = 0;
  /**
   * This side's ICE user name and candidates, as they were told. The library's own account of them, `localDescription`, must
   * not be read: it writes it down on this thread while another one still adds to it, which can end the process.
   */
  #ufrag = '';
  #gatheredHere: IceCandidate[] = [];
  /** Offers are answered one after another. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(config: Config['webrtc'], listener: PeerListener) {
    this.#config = config;
    this.#listener = listener;
    const { portMin, portMax } = config;
    this.#connection = new wrtc.RTCPeerConnection({
      iceServers: iceServersOf(config),
      ...(portMax > 0 && { portRange: { min: portMin, max: portMax } }),
    });
    this.#connection.onconnectionstatechange = () => listener.onState(this.#connection.connectionState);
    this.#connection.ondatachannel = ({ channel }) => this.#converse(channel);
    this.#connection.onicecandidate = ({ candidate }) => {
      const told = candidate && {
        candidate: candidate.candidate,
        sdpMid: candidate.sdpMid,
        sdpMLineIndex: candidate.sdpMLineIndex,
      };
      if (told !== null) this.#gatheredHere.push(told);
      listener.onCandidate(told);
    };
    open++;
  }

  /** The other side's ICE user name, by which an ICE restart is told from a further candidate. */
  get remoteUfrag(): string | null {
    return this.#offer === null ? null : iceUfrag(this.#offer);
  }

  /** An entity tag of the ICE session: this side's user name, which changes with it. */
  get etag(): string {
    return `"${this.#ufrag}"`;
  }

  /**
   * Answers an offer, the first or a later one. Pictures go out on the first section that wants to receive.
   * @param gather wait until the answer holds every candidate, for those who cannot trickle.
   * @throws FaceOffError `bad_sdp` (400), `offer_too_large` (413), `no_video` (422), `no_codec` (406), `session_closed` (410).
   */
  answer(offer: string, gather: boolean): Promise<string> {
    return this.#inTurn(async () => {
      const rebuilt = rebuildOffer(offer);
      checkVideo(readVideo(rebuilt), this.#listener.onFrame !== null);
      return inOneStream(withBitrates(await this.#negotiate(rebuilt, [], gather), this.#config));
    });
  }

  /**
   * Begins another ICE session with all else as agreed; a failure leaves the one there is.
   * @returns this side of it, as an SDP fragment.
   * @throws FaceOffError `bad_sdp` (400), `session_closed` (410).
   */
  restartIce(ice: IceCredentials, candidates: readonly IceCandidate[]): Promise<string> {
    return this.#inTurn(async () => {
      if (this.#offer === null) throw badSdp('there was no offer yet');
      return iceFragmentOf(await this.#negotiate(withIce(this.#offer, ice), candidates, true));
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  /** @param offer a rebuilt one: libwebrtc gets no other. */
  async #negotiate(offer: string, candidates: readonly IceCandidate[], gather: boolean): Promise<string> {
    let answer: string;
    try {
      await this.#connection.setRemoteDescription({ type: 'offer', sdp: withBitrates(offer, this.#config) });
      this.#offer = offer;
      this.#trickled = 0;
      await this.#wire(readVideo(offer).directions);
      await this.#wireSound(readDirections(offer, 'audio'));
      const made = await this.#connection.createAnswer();
      answer = made.sdp;
      this.#ufrag = iceUfrag(answer) ?? '';
      await this.#connection.setLocalDescription(made);
    } catch (cause) {
      throw badSdp(cause instanceof Error ? cause.message : String(cause), cause);
    }
    // One that does not fit is no loss: others do.
    for (const candidate of candidates) await this.addCandidate(candidate).catch(() => undefined);
    if (gather) await this.#gathered();
    if (this.#closed)
      throw new FaceOffError('session_closed', 'The session was closed while it was being answered.', { status: 410 });
    return gather ? withCandidates(answer, this.#ownCandidates()) : answer;
  }

  /** Those of the ICE session there is; ones of the session before may come late. */
  #ownCandidates(): IceCandidate[] {
    this.#gatheredHere = this.#gatheredHere.filter(({ candidate }) => candidate.split(' ').includes(this.#ufrag));
    return this.#gatheredHere;
  }

  /** @throws FaceOffError `bad_candidate` (400). */
  async addCandidate({ candidate, sdpMid, sdpMLineIndex }: IceCandidate): Promise<void> {
    // What some say when there are no more.
    if (candidate === '') return;
    try {
      if (!isCandidate(candidate)) throw new Error('malformed');
      if (++this.#trickled > MOST_TRICKLED) throw new Error('too many');
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

  /** Lets the other side hear ten milliseconds, where it wants to. */
  sound(sound: Sound): void {
    if (!this.#closed) this.#voice?.source.onData(sound);
  }

  /** Says something new on the data channel, where the other side opens one; the last message is said to a later one, too. */
  tell(message: string): void {
    this.#told = message;
    if (this.#closed || this.#said === message || this.#channel?.readyState !== 'open') return;
    this.#channel.send(message);
    this.#said = message;
  }

  /**
   * How long sound and pictures that come in wait between network and hand-over, in milliseconds, as a mean since the last
   * call; null while either does not come.
   */
  async buffersMs(): Promise<Buffers | null> {
    if (this.#closed || this.#ear === null) return null;
    const inbound = [...(await this.#connection.getStats()).values()].filter(({ type }) => type === 'inbound-rtp');
    const audio = inbound.find(({ kind }) => kind === 'audio');
    const video = inbound.find(({ kind }) => kind === 'video');
    const sound = this.#soundWait.mean(audio?.jitterBufferDelay, audio?.jitterBufferEmittedCount);
    const picture = this.#pictureWait.mean(video?.totalProcessingDelay, video?.framesDecoded);
    return sound === null || picture === null ? null : { sound, picture };
  }

  /** How the packets of pictures fared since the last call; null when there were too few to tell. */
  async traffic(): Promise<Traffic | null> {
    if (this.#closed) return null;
    const entries = [...(await this.#connection.getStats()).values()].filter(({ kind }) => kind === 'video');
    const inbound = entries.find(({ type }) => type === 'inbound-rtp');
    const remote = entries.find(({ type }) => type === 'remote-inbound-rtp');
    const { packetsReceived = 0, packetsLost = 0, jitter = 0 } = inbound ?? {};
    const [received, lost] = [packetsReceived - this.#packets.received, packetsLost - this.#packets.lost];
    this.#packets = { received: packetsReceived, lost: packetsLost };
    if (received + lost < FEWEST_PACKETS) return null;
    const lostIn = Math.max(0, lost) / (received + Math.max(0, lost));
    return { lostIn, lostOut: remote?.fractionLost ?? 0, jitterMs: 1000 * jitter };
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
    if (this.#ear !== null) {
      this.#ear.sink.ondata = null;
      this.#ear.sink.stop();
      this.#ear = null;
    }
    connection.ondatachannel = null;
    if (this.#channel !== null) this.#channel.onopen = null;
    this.#channel = null;
    this.#voice?.track.stop();
    this.#voice = null;
    this.#outgoing.stop();
    connection.close();
  }

  /** Connects the sink to what the other side sends and the source to where it wants to receive. */
  async #wire(directions: readonly string[]): Promise<void> {
    const videos = this.#transceivers('video');
    const sends = videos[directions.findIndex((d) => d === 'sendrecv' || d === 'sendonly')];
    const receives = videos[directions.findIndex((d) => d === 'sendrecv' || d === 'recvonly')];
    const { onFrame } = this.#listener;
    if (onFrame !== null && sends !== undefined) this.#listen(sends, onFrame);
    if (receives === undefined) return;
    await receives.sender.replaceTrack(this.#outgoing);
    receives.direction = receives === sends && onFrame !== null ? 'sendrecv' : 'sendonly';
  }

  /** As pictures; sound that nobody offers or wants is none. */
  async #wireSound(directions: readonly Direction[]): Promise<void> {
    const sections = this.#transceivers('audio');
    const sends = sections[directions.findIndex((d) => d === 'sendrecv' || d === 'sendonly')];
    const { onSound } = this.#listener;
    if (onSound !== null) {
      if (sends !== undefined) this.#hear(sends, onSound);
      return;
    }
    const receives = sections[directions.findIndex((d) => d === 'sendrecv' || d === 'recvonly')];
    if (receives === undefined) return;
    if (this.#voice === null) {
      const source = new wrtc.nonstandard.RTCAudioSource();
      this.#voice = { source, track: source.createTrack() };
    }
    await receives.sender.replaceTrack(this.#voice.track);
    receives.direction = 'sendonly';
  }

  #transceivers(kind: 'audio' | 'video'): Transceiver[] {
    return this.#connection.getTransceivers().filter((t) => t.receiver.track.kind === kind && t.mid !== null);
  }

  #hear({ receiver: { track } }: Transceiver, onSound: (sound: Sound) => void): void {
    if (this.#ear?.track === track) return;
    this.#ear?.sink.stop();
    const sink = new wrtc.nonstandard.RTCAudioSink(track);
    sink.ondata = ({ samples, sampleRate, channelCount, numberOfFrames }) =>
      onSound({ samples, sampleRate, channelCount, numberOfFrames, bitsPerSample: 16 });
    this.#ear = { track, sink };
  }

  /** One channel is listened to; what the other side says on it is not. */
  #converse(channel: DataChannel): void {
    if (this.#closed) return;
    this.#channel = channel;
    this.#said = null;
    const greet = (): void => {
      if (this.#told !== null) this.tell(this.#told);
    };
    channel.onopen = greet;
    greet();
  }

  #listen({ receiver: { track } }: Transceiver, onFrame: (frame: Frame) => void): void {
    if (this.#incoming?.track === track) return;
    this.#incoming?.sink.stop();
    const sink = new wrtc.nonstandard.RTCVideoSink(track);
    sink.onframe = ({ frame: { width, height, rotation, data } }) => {
      onFrame(upright({ width, height, data, receivedAtMs: performance.now() }, rotation));
    };
    this.#incoming = { track, sink };
  }

  async #gathered(): Promise<void> {
    const connection = this.#connection;
    // After a restart the state of the session before may still stand; its candidates do not.
    const isDone = (): boolean => connection.iceGatheringState === 'complete' && this.#ownCandidates().length > 0;
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

/** Means of what WebRTC only counts in sums since the beginning. */
class Sums {
  #seconds = 0;
  #count = 0;

  /** Milliseconds each since the last call; null when there were none. */
  mean(seconds = 0, count = 0): number | null {
    const [took, more] = [seconds - this.#seconds, count - this.#count];
    this.#seconds = seconds;
    this.#count = count;
    return more > 0 ? (1000 * took) / more : null;
  }
}

/** @param sends whether the other side is to send pictures, rather than only get them. */
function checkVideo({ directions, codecs }: VideoOffer, sends: boolean): void {
  const wanted = sends ? 'sendonly' : 'recvonly';
  if (!directions.some((direction) => direction === 'sendrecv' || direction === wanted)) {
    const message = sends
      ? 'The offer sends no video. Offer a video section with the camera in it.'
      : 'The offer takes no video. Offer a video section that is recvonly.';
    throw new FaceOffError('no_video', message, { status: 422 });
  }
  if (codecs.some((codec) => CODECS.includes(codec))) return;
  const offered = codecs.filter((codec) => !/^(RTX|RED|ULPFEC|FLEXFEC.*)$/.test(codec)).join(', ') || 'none';
  throw new FaceOffError(
    'no_codec',
    `The offer's video codecs (${offered}) cannot be used here. Offer VP8, VP9 or AV1.`,
    { status: 406 },
  );
}
