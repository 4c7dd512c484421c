import { randomBytes } from 'node:crypto';
import type { Config } from '../../config.ts';
import { SerialQueue } from '../../lib/serial.ts';
import type { Sound } from '../../media/sound.ts';
import { FaceOffError, messageOf } from '../../shared/errors.ts';
import type { Traffic } from '../../shared/traffic.ts';
import type { Frame } from '../../shared/types.ts';
import { parseRtcp } from '../rtp/rtcp.ts';
import { isRtcp, parseRtp } from '../rtp/rtp-packet.ts';
import { type AnnouncedAddresses, announcedAddresses } from '../webrtc/announce.ts';
import type { IceCandidate } from '../webrtc/ice-fragment.ts';
import { iceServersOf } from '../webrtc/ice-servers.ts';
import type { BufferDelays, MediaPeer, PeerListener, PeerState } from '../webrtc/peer.ts';
import { badSdp, isCandidate, MOST_TRICKLED, rebuildOffer } from '../webrtc/rebuild-offer.ts';
import { iceUfrag, readVideo } from '../webrtc/sdp.ts';
import { isNativeOffer } from '../webrtc/simulcast.ts';
import type { EncoderUse, SharedEncoders } from './codec/shared-encoder.ts';
import type { H264Libraries } from './h264-packages.ts';
import { h264Answer, ownUfrag, transportOffer, transportSection } from './h264-sdp.ts';
import { isFragmentable, type MediaPlan, planMedia, profileOf } from './media-plan.ts';
import { MediaReceiver } from './media-receiver.ts';
import { MediaSender } from './media-sender.ts';
import {
  sendIfOpen,
  type TransportChannel,
  type TransportConnection,
  type TransportPorts,
  type TransportTrack,
} from './transport-library.ts';
import { transportServers } from './transport-servers.ts';

/** What an H.264 peer is made of. */
export interface H264PeerParts {
  config: Config['webrtc'];
  listener: PeerListener;
  libraries: H264Libraries;
  encoders: SharedEncoders;
  /** Identifies the stream whose frames the peer sends: peers of one stream share an encoder. */
  stream: object;
  /** Gets faults of the codecs, which cost pictures. */
  onFault(error: unknown): void;
}

const GATHERING_MS = 2000;
/** How often missing packets are looked for, and how often reports are sent. */
const TICK_MS = 10;
const REPORT_MS = 1000;
/** After this many reports without a packet from it a publisher counts as disconnected. */
const MOST_SILENT = 5;

/**
 * A WebRTC peer that receives and sends H.264, for clients without VP8, VP9 and AV1: libdatachannel carries packets, FFmpeg
 * codes pictures and sound. Must be used on the main thread.
 */
export class H264Peer implements MediaPeer {
  readonly #parts: H264PeerParts;
  readonly #announced: AnnouncedAddresses;
  readonly #connection: TransportConnection;
  /** Answers offers one after another. */
  readonly #negotiations = new SerialQueue();
  #plan: MediaPlan | null = null;
  #offer: string | null = null;
  #trickled = 0;
  #track: TransportTrack | null = null;
  #channel: TransportChannel | null = null;
  #receiver: MediaReceiver | null = null;
  #sender: MediaSender | null = null;
  #timers: NodeJS.Timeout[] = [];
  #state: PeerState = 'new';
  /** Reports since the last packet of the other side. */
  #silent = 0;
  /** The last message, for a channel that opens later, and the last message that was sent on the channel. */
  #message: string | null = null;
  #sentMessage: string | null = null;
  #closed = false;

  constructor(parts: H264PeerParts) {
    this.#parts = parts;
    this.#announced = announcedAddresses(parts.config.announce);
    const { config, listener, libraries } = parts;
    const connection = new libraries.transport.PeerConnection('faceoff', {
      iceServers: transportServers(iceServersOf(config)),
      disableAutoNegotiation: true,
      ...transportPorts(config),
    });
    this.#connection = connection;
    connection.onStateChange((state) => {
      this.#state = state as PeerState;
      if (!this.#closed) listener.onState(this.#state);
    });
    connection.onLocalCandidate((candidate, mid) => {
      const local = { candidate: candidate.replace(/^a=/, ''), sdpMid: mid, sdpMLineIndex: null };
      if (this.#closed) return;
      for (const one of [local, ...this.#announced.at(local)]) listener.onCandidate(one);
    });
    connection.onGatheringStateChange((state) => {
      if (!this.#closed && state === 'complete') listener.onCandidate(null);
    });
    connection.onTrack((track) => this.#useTrack(track));
    connection.onDataChannel((channel) => this.#useChannel(channel));
  }

  get remoteUfrag(): string | null {
    return this.#offer === null ? null : iceUfrag(this.#offer);
  }

  get etag(): string {
    return `"${ownUfrag(this.#connection.localDescription()?.sdp ?? '')}"`;
  }

  answer(offer: string, gather: boolean): Promise<string> {
    return this.#negotiations.run(async () => {
      const rebuilt = rebuildOffer(offer);
      const { onFrame, onSound } = this.#parts.listener;
      const plan = planMedia(rebuilt, onFrame !== null, onSound === null, isNativeOffer(offer));
      await this.#announced.refresh();
      checkPlan(plan, onFrame !== null, readVideo(rebuilt).codecs);
      if (this.#plan === null) this.#begin(rebuilt, plan);
      else if (iceUfrag(rebuilt) !== this.remoteUfrag) throw noRestart();
      this.#useMedia(plan);
      this.#offer = rebuilt;
      if (gather) await this.#waitForCandidates();
      if (this.#closed) throw new FaceOffError('session_closed', 'The session was closed while it was being answered.');
      const ssrcs = this.#sender?.ssrcs ?? { video: 0, sound: 0 };
      const transport = this.#withAnnounced(this.#connection.localDescription()?.sdp ?? '');
      return h264Answer(plan, { transport, ssrcs, bitrates: this.#parts.config });
    });
  }

  /** libdatachannel cannot begin another ICE session. @throws FaceOffError `no_ice_restart` (422). */
  async restartIce(): Promise<string> {
    throw noRestart();
  }

  async addCandidate({ candidate }: IceCandidate): Promise<void> {
    // Some clients send an empty candidate as the end of candidates.
    if (candidate === '') return;
    try {
      if (this.#plan === null || !isCandidate(candidate)) throw new Error('malformed or early');
      if (++this.#trickled > MOST_TRICKLED) throw new Error('too many');
      this.#connection.addRemoteCandidate(candidate, transportSection(this.#plan).mid);
    } catch (cause) {
      throw new FaceOffError('bad_candidate', 'The ICE candidate could not be used.', { cause });
    }
  }

  sendFrame(frame: Frame): void {
    if (this.#isOpen) this.#sender?.sendFrame(frame);
  }

  sendSound(sound: Sound): void {
    if (this.#isOpen) this.#sender?.sendSound(sound);
  }

  sendMessage(message: string): void {
    this.#message = message;
    const channel = this.#channel;
    if (this.#closed || this.#sentMessage === message || channel === null) return;
    if (sendIfOpen(channel, () => channel.sendMessage(message))) this.#sentMessage = message;
  }

  async buffersMs(): Promise<BufferDelays | null> {
    return this.#receiver?.buffersMs() ?? null;
  }

  async traffic(): Promise<Traffic | null> {
    const incoming = this.#receiver?.traffic() ?? null;
    return incoming === null ? null : { ...incoming, lostOut: this.#sender?.fractionLost ?? 0 };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const timer of this.#timers) clearInterval(timer);
    this.#receiver?.close();
    this.#sender?.close();
    this.#track = null;
    this.#channel = null;
    this.#connection.close();
  }

  get #isOpen(): boolean {
    return !this.#closed && this.#track?.isOpen() === true;
  }

  /** Opens the transport. @throws FaceOffError `bad_sdp`. */
  #begin(offer: string, plan: MediaPlan): void {
    try {
      this.#connection.setRemoteDescription(transportOffer(offer, plan), 'offer');
      this.#connection.setLocalDescription('answer');
    } catch (cause) {
      throw badSdp(messageOf(cause), cause);
    }
    this.#timers = [
      setInterval(() => this.#receiver?.tick(performance.now()), TICK_MS),
      setInterval(() => this.#report(), REPORT_MS),
    ];
  }

  /** Opens what the plan uses; a later offer with the same formats changes nothing. */
  #useMedia(plan: MediaPlan): void {
    const isSame = (a: object | null, b: object | null): boolean => JSON.stringify(a) === JSON.stringify(b);
    const before = this.#plan;
    this.#plan = plan;
    const { config, listener, libraries, encoders, stream, onFault } = this.#parts;
    const send = (data: Buffer): void => {
      const track = this.#track;
      if (!this.#closed && track !== null) sendIfOpen(track, () => track.sendMessageBinary(data));
    };
    if (!isSame(before?.receive ?? null, plan.receive)) {
      this.#receiver?.close();
      this.#receiver = new MediaReceiver({
        library: libraries.codec,
        formats: plan.receive,
        ownSsrc: randomBytes(4).readUInt32BE() || 1,
        maxKbps: config.maxKbps,
        onFrame: (frame) => listener.onFrame?.(frame),
        onSound: (sound) => listener.onSound?.(sound),
        send,
      });
    }
    if (isSame(before?.send ?? null, plan.send)) return;
    this.#sender?.close();
    const fmtp = plan.send.video?.fmtp ?? '';
    const format = { profile: profileOf(fmtp), isSliced: !isFragmentable(fmtp) };
    const openEncoder = (isLow: boolean): EncoderUse =>
      encoders.use(libraries.codec, stream, { ...format, maxKbps: isLow ? config.minKbps : config.startKbps });
    this.#sender = new MediaSender({
      library: libraries.codec,
      openEncoder: plan.send.video === null ? null : openEncoder,
      formats: plan.send,
      send,
      onFault,
    });
  }

  #useTrack(track: TransportTrack): void {
    if (this.#closed) return;
    this.#track = track;
    track.onMessage((data) => {
      if (!this.#closed) this.#receive(data);
    });
  }

  #receive(data: Buffer): void {
    const nowMs = performance.now();
    if (this.#silent >= MOST_SILENT && this.#state === 'connected') this.#parts.listener.onState('connected');
    this.#silent = 0;
    if (!isRtcp(data)) {
      const packet = parseRtp(data);
      if (packet !== null) this.#receiver?.push(packet, nowMs);
      return;
    }
    for (const message of parseRtcp(data)) {
      this.#receiver?.heed(message, nowMs);
      this.#sender?.heed(message);
    }
  }

  #report(): void {
    if (!this.#isOpen) return;
    // libdatachannel itself notices only after half a minute. Viewers need not send anything.
    const isPublisher = this.#plan?.receive.video != null;
    if (isPublisher && ++this.#silent === MOST_SILENT && this.#state === 'connected')
      this.#parts.listener.onState('disconnected');
    this.#receiver?.report(performance.now());
    this.#sender?.report();
  }

  /** Uses the newest channel for messages to the other side; messages from the other side are ignored. */
  #useChannel(channel: TransportChannel): void {
    if (this.#closed) return;
    this.#channel = channel;
    this.#sentMessage = null;
    const sendLast = (): void => {
      if (this.#message !== null) this.sendMessage(this.#message);
    };
    channel.onOpen(sendLast);
    sendLast();
  }

  /** A description with its candidates at the announced addresses, too. */
  #withAnnounced(description: string): string {
    return description.replace(/^a=(candidate:\S.*?)(\r?\n)/gm, (line, candidate: string, end: string) => {
      const more = this.#announced.at({ candidate, sdpMid: null, sdpMLineIndex: null });
      return line + more.map((one) => `a=${one.candidate}${end}`).join('');
    });
  }

  async #waitForCandidates(): Promise<void> {
    const untilMs = performance.now() + GATHERING_MS;
    while (!this.#closed && this.#connection.gatheringState() !== 'complete' && performance.now() < untilMs)
      await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Of which ports the transport takes one: of any, of a range, or the one that all connections share. */
function transportPorts({ portMin, portMax, h264Port }: Config['webrtc']): TransportPorts {
  if (h264Port > 0) return { portRangeBegin: h264Port, portRangeEnd: h264Port, enableIceUdpMux: true };
  return portMax > 0 ? { portRangeBegin: portMin, portRangeEnd: portMax } : {};
}

/** Refuses an offer without usable video. @param receives whether the other side has to send video. */
function checkPlan({ receive, send }: MediaPlan, receives: boolean, codecs: readonly string[]): void {
  if ((receives ? receive : send).video !== null) return;
  if (!codecs.includes('H264')) throw new FaceOffError('no_codec', 'The first video section offers no H.264.');
  throw new FaceOffError(
    'no_video',
    receives
      ? 'The offer sends no video. Offer a video section with the camera in it.'
      : 'The offer takes no video. Offer a video section that is recvonly.',
  );
}

const noRestart = (): FaceOffError =>
  new FaceOffError(
    'no_ice_restart',
    'A session in H.264 cannot restart ICE. Delete it and post a new offer; the stream keeps its name.',
  );
