import type { Sound } from '../../media/sound.ts';
import type { Traffic } from '../../shared/traffic.ts';
import type { Frame } from '../../shared/types.ts';
import { parameterSetsOf } from '../rtp/h264-depacketizer.ts';
import { PictureReceiver } from '../rtp/picture-receiver.ts';
import { Reception } from '../rtp/reception.ts';
import { type RtcpMessage, writeBitrateLimit, writeNack, writePli, writeReceiverReport } from '../rtp/rtcp.ts';
import type { RtpPacket } from '../rtp/rtp-packet.ts';
import type { BufferDelays } from '../webrtc/peer.ts';
import type { CodecLibrary } from './codec/codec-library.ts';
import { OPUS_RATE, OpusDecoder } from './codec/opus.ts';
import { PictureDecoder } from './codec/picture-decoder.ts';
import { CNAME } from './h264-sdp.ts';
import type { MediaPlan } from './media-plan.ts';
import { SoundReceiver } from './sound-receiver.ts';

/** What a receiver of media is made of. */
export interface MediaReceiverParts {
  library: CodecLibrary;
  formats: MediaPlan['receive'];
  /** The SSRC under which feedback is sent, 1..2³²−1. */
  ownSsrc: number;
  /** Highest bit rate that the other side may send, in kbit/s. */
  maxKbps: number;
  onFrame(frame: Frame): void;
  onSound(sound: Sound): void;
  /** Puts an RTCP packet on the network. */
  send(data: Buffer): void;
}

/**
 * With so many pictures in front of the decoder, the first of them for so long, the machine is overloaded, and pictures are
 * dropped up to a keyframe. After a pause of this process or of the network many come at once and are decoded in a moment.
 */
const MANY_WAITING = 30;
const LONG_WAIT_MS = 500;
/** More wait in no case: four seconds at 60 a second. */
const MOST_WAITING = 240;
/** A stream that is silent for this long may be replaced by one of another SSRC, in milliseconds. */
const SILENT_MS = 1000;
/** A share of fewer packets than this is not reported. */
const FEWEST_PACKETS = 20;

/** Pictures that a decoder may hold back because of B-frames (H.264, A.3.1: max_dec_frame_buffering). */
const MOST_REORDERED = 16;

/** How many more pictures may come to nothing, because decoding began without a keyframe. */
interface Recovery {
  left: number;
}

interface UnitToDecode {
  data: Buffer;
  arrivedAtMs: number;
  restarts: boolean;
  recovery: Recovery;
}

/** One incoming RTP stream; a further SSRC of the same payload type (another layer) is ignored while it runs. */
interface Incoming {
  ssrc: number;
  reception: Reception;
  lastAtMs: number;
}

/** The way of one publisher's packets to frames and sound, and the feedback that goes back. */
export class MediaReceiver {
  readonly #parts: MediaReceiverParts;
  readonly #decoder: PictureDecoder | null;
  #pictures: PictureReceiver | null = null;
  readonly #opus: OpusDecoder | null;
  #sounds: SoundReceiver | null = null;
  #video: Incoming | null = null;
  #sound: Incoming | null = null;
  /** When each picture that waits for the decoder was handed to it, the first one first. */
  readonly #waitingSinceMs: number[] = [];
  readonly #pictureWait = new Mean();
  readonly #soundWait = new Mean();
  #closed = false;

  constructor(parts: MediaReceiverParts) {
    this.#parts = parts;
    const { video, sound } = parts.formats;
    this.#decoder = video === null ? null : new PictureDecoder(parts.library);
    this.#opus = sound === null ? null : new OpusDecoder(parts.library);
    // Parameter sets that the description holds need not come again.
    const sets = parameterSetsOf(video?.fmtp ?? '');
    if (sets.length > 0) void this.#decoder?.useSets(sets);
  }

  /** Takes a packet as it arrives. */
  push(packet: RtpPacket, nowMs: number): void {
    const { video, sound } = this.#parts.formats;
    if (this.#closed) return;
    if (packet.payloadType === video?.payloadType) {
      if (this.#follow('video', packet, nowMs)) this.#pictures?.push(packet, nowMs);
    } else if (packet.payloadType === sound?.payloadType) {
      if (this.#follow('sound', packet, nowMs)) this.#pushSound(packet, nowMs);
    }
  }

  /** Takes what the publisher reports. */
  heed(message: RtcpMessage, nowMs: number): void {
    if (message.type !== 'sender-report') return;
    for (const stream of [this.#video, this.#sound])
      if (stream?.ssrc === message.ssrc) stream.reception.addReport(message.ntpMiddle, nowMs);
  }

  /** To be called every few milliseconds. */
  tick(nowMs: number): void {
    this.#pictures?.tick(nowMs);
    this.#sounds?.tick(nowMs);
  }

  /** Sends the reports by which the publisher controls its bit rate. To be called once a second. */
  report(nowMs: number): void {
    const streams = [this.#video, this.#sound].filter((one) => one !== null);
    if (this.#closed || streams.length === 0) return;
    const { ownSsrc, maxKbps, send } = this.#parts;
    send(
      writeReceiverReport(
        ownSsrc,
        CNAME,
        streams.map(({ reception }) => reception.block(nowMs)),
      ),
    );
    if (this.#video !== null) send(writeBitrateLimit(ownSsrc, 1000 * maxKbps, [this.#video.ssrc]));
  }

  /** Means since the last call; null while sound or pictures do not arrive. */
  buffersMs(): BufferDelays | null {
    const sound = this.#soundWait.read();
    const picture = this.#pictureWait.read();
    return sound === null || picture === null ? null : { sound, picture };
  }

  /** Packet statistics of the video since the last call; null if there were too few packets. */
  traffic(): Omit<Traffic, 'lostOut'> | null {
    return this.#video?.reception.traffic(FEWEST_PACKETS) ?? null;
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#decoder?.close();
    this.#opus?.close();
  }

  /** Whether a packet belongs to the stream in use; the first one, or the first after a silence, chooses it. */
  #follow(kind: 'video' | 'sound', packet: RtpPacket, nowMs: number): boolean {
    const isVideo = kind === 'video';
    const known = isVideo ? this.#video : this.#sound;
    if (known?.ssrc !== packet.ssrc) {
      if (known !== null && nowMs - known.lastAtMs < SILENT_MS) return false;
      const reception = new Reception(packet.ssrc, isVideo ? 90_000 : OPUS_RATE);
      const stream = { ssrc: packet.ssrc, reception, lastAtMs: nowMs };
      if (isVideo) this.#openVideo(stream);
      else this.#openSound(stream);
    }
    const stream = (isVideo ? this.#video : this.#sound)!;
    stream.reception.add(packet, nowMs);
    stream.lastAtMs = nowMs;
    return true;
  }

  #openVideo(stream: Incoming): void {
    this.#video = stream;
    const { ownSsrc, send } = this.#parts;
    let recovery: Recovery = { left: 0 };
    const pictures = new PictureReceiver({
      onUnit: (unit, arrivedAtMs, restarts) => {
        if (unit.isKeyframe) recovery = { left: 0 };
        else if (restarts) recovery = { left: (unit.recoveryFrames ?? 0) + MOST_REORDERED };
        if (this.#isOverloaded(performance.now())) pictures.waitForKeyframe(performance.now());
        else void this.#decode({ data: unit.data, arrivedAtMs, restarts, recovery }, pictures);
      },
      onSets: (sets) => void this.#decoder!.useSets(sets),
      onMissing: (sequences) => send(writeNack(ownSsrc, stream.ssrc, sequences)),
      onKeyframeNeeded: () => send(writePli(ownSsrc, stream.ssrc)),
    });
    this.#pictures = pictures;
  }

  #isOverloaded(nowMs: number): boolean {
    const waiting = this.#waitingSinceMs.length;
    const waitMs = nowMs - (this.#waitingSinceMs[0] ?? nowMs);
    return waiting >= MOST_WAITING || (waiting >= MANY_WAITING && waitMs > LONG_WAIT_MS);
  }

  async #decode({ data, arrivedAtMs, restarts, recovery }: UnitToDecode, pictures: PictureReceiver): Promise<void> {
    const beganMs = performance.now();
    this.#waitingSinceMs.push(beganMs);
    const frame = await this.#decoder!.decode(data, restarts).catch((error: unknown) => error as Error);
    this.#waitingSinceMs.shift();
    if (this.#closed) return;
    if (frame !== null && !(frame instanceof Error)) {
      recovery.left = 0;
      this.#pictureWait.add(frame.receivedAtMs - arrivedAtMs);
      this.#parts.onFrame({ ...frame, decodeMs: frame.receivedAtMs - beganMs });
    } else if (recovery.left > 0) {
      // Pictures before the recovery point refer to lost ones; what the decoder says of them does not count.
      if (--recovery.left === 0) pictures.waitForKeyframe(performance.now());
    } else if (frame !== null) pictures.waitForKeyframe(performance.now());
  }

  #openSound(stream: Incoming): void {
    this.#sound = stream;
    this.#sounds = new SoundReceiver(this.#opus!, (sound) => {
      if (!this.#closed) this.#parts.onSound(sound);
    });
  }

  #pushSound(packet: RtpPacket, nowMs: number): void {
    // Sound is handed on as it comes, so that it waits only where packets are out of order.
    this.#soundWait.add(0);
    this.#sounds?.push(packet, nowMs);
  }
}

/** Mean of values since the last reading; null without any. */
class Mean {
  #sum = 0;
  #count = 0;

  add(value: number): void {
    this.#sum += value;
    this.#count++;
  }

  read(): number | null {
    const mean = this.#count === 0 ? null : this.#sum / this.#count;
    this.#sum = 0;
    this.#count = 0;
    return mean;
  }
}
