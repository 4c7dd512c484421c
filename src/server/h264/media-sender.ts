import { randomBytes } from 'node:crypto';
import { SOUND_OUT_MS, type Sound } from '../../media/sound.ts';
import type { Frame } from '../../shared/types.ts';
import { BitrateRung } from '../rtp/bitrate-rung.ts';
import { packetizeH264 } from '../rtp/h264-packetizer.ts';
import type { RtcpMessage } from '../rtp/rtcp.ts';
import { RtpSender } from '../rtp/rtp-sender.ts';
import type { CodecLibrary } from './codec/codec-library.ts';
import { OPUS_RATE, OpusEncoder } from './codec/opus.ts';
import type { EncodedPicture } from './codec/picture-encoder.ts';
import type { EncoderUse } from './codec/shared-encoder.ts';
import { CNAME } from './h264-sdp.ts';
import type { MediaPlan } from './media-plan.ts';

/** Sound that is off its place by more than this begins a new stretch on the clock, in milliseconds. */
const MOST_OFF_MS = 60;

const randomStream = (payloadType: number) => {
  const random = randomBytes(6);
  return { payloadType, ssrc: random.readUInt32BE(0) | 1, sequence: random.readUInt16BE(4) };
};

/** What a sender of media is made of. */
export interface MediaSenderParts {
  library: CodecLibrary;
  /** Opens an encoder for the higher or the lower bit rate; null if no video goes out. */
  openEncoder: ((isLow: boolean) => EncoderUse) | null;
  formats: MediaPlan['send'];
  /** Puts a packet on the network. */
  send(data: Buffer): void;
  /** Gets faults of the codecs. */
  onFault(error: unknown): void;
}

/** The way of frames and sound to one client: encoding, packets, reports, and what the client asks for. */
export class MediaSender {
  readonly #parts: MediaSenderParts;
  readonly #video: RtpSender | null;
  readonly #sound: { stream: RtpSender; encoder: OpusEncoder } | null;
  /** Whether the client can decode the next picture; it cannot before a keyframe. */
  #isStarted = false;
  #soundAt: { timestamp: number; dueMs: number } | null = null;
  #soundSentAtMs = 0;
  #fractionLost = 0;
  readonly #rung = new BitrateRung();
  #encoder: EncoderUse | null;
  #closed = false;

  constructor(parts: MediaSenderParts) {
    this.#parts = parts;
    const { video, sound } = parts.formats;
    this.#encoder = parts.openEncoder?.(false) ?? null;
    const open = (payloadType: number): RtpSender => {
      const stream = randomStream(payloadType);
      return new RtpSender({ ...stream, ssrc: stream.ssrc >>> 0 }, parts.send);
    };
    this.#video = video === null ? null : open(video.payloadType);
    this.#sound = sound === null ? null : { stream: open(sound.payloadType), encoder: new OpusEncoder(parts.library) };
  }

  /** SSRCs of what goes out; 0 for what does not. */
  get ssrcs(): { video: number; sound: number } {
    return { video: this.#video?.ssrc ?? 0, sound: this.#sound?.stream.ssrc ?? 0 };
  }

  /** Share of the video packets that the client said it lost, 0..1. */
  get fractionLost(): number {
    return this.#fractionLost;
  }

  /** Encodes and sends a frame; its data is copied before this returns. */
  sendFrame(frame: Frame): void {
    const encoder = this.#encoder;
    if (this.#closed || this.#video === null || encoder === null) return;
    if (!this.#isStarted) encoder.requestKeyframe();
    encoder.encode(frame).then((picture) => {
      // A picture of the encoder before would not be decodable any more.
      if (encoder === this.#encoder) this.#sendPicture(picture);
    }, this.#parts.onFault);
  }

  /** Sends ten milliseconds of sound at 48 kHz; sound of other rates is left out. */
  sendSound(sound: Sound): void {
    if (this.#closed || this.#sound === null) return;
    const nowMs = performance.now();
    const { stream, encoder } = this.#sound;
    const packet = encoder.encode(sound);
    if (packet === null) return;
    // The clock counts samples; where the sound has a gap it goes on by the time.
    const isInPlace = this.#soundAt !== null && Math.abs(nowMs - this.#soundAt.dueMs) < MOST_OFF_MS;
    const at = isInPlace ? this.#soundAt! : { timestamp: Math.round((OPUS_RATE / 1000) * nowMs), dueMs: nowMs };
    stream.send([packet], at.timestamp, false);
    this.#soundAt = { timestamp: at.timestamp + OPUS_RATE / 50, dueMs: at.dueMs + 20 };
    this.#soundSentAtMs = nowMs;
  }

  /** Does what a message of the client asks for. */
  heed(message: RtcpMessage): void {
    const { video, sound } = this.ssrcs;
    if (message.type === 'keyframe-request' && message.media === video) this.#encoder?.requestKeyframe();
    else if (message.type === 'nack' && message.media === video) this.#video?.resend(message.sequences);
    else if (message.type === 'nack' && message.media === sound) this.#sound?.stream.resend(message.sequences);
    else if (message.type === 'receiver-report' || message.type === 'sender-report')
      this.#noteLoss(message.blocks.find(({ ssrc }) => ssrc === video)?.fractionLost ?? null);
  }

  /**
   * Sends the reports by which the client keeps sound and video in step: they say that sound is as late as it is over
   * libwebrtc, as `LipSync` has held the video back for that. To be called once a second.
   */
  report(): void {
    const nowMs = performance.now();
    const unixMs = performance.timeOrigin + nowMs;
    if (this.#isStarted && this.#video !== null)
      this.#parts.send(this.#video.report(unixMs, Math.round(90 * nowMs), CNAME));
    if (this.#sound === null || this.#soundAt === null) return;
    const sinceMs = nowMs - this.#soundSentAtMs - SOUND_OUT_MS;
    const timestamp = this.#soundAt.timestamp + Math.round((OPUS_RATE / 1000) * sinceMs);
    this.#parts.send(this.#sound.stream.report(unixMs, timestamp, CNAME));
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#encoder?.close();
    this.#sound?.encoder.close();
  }

  #noteLoss(loss: number | null): void {
    if (loss === null || this.#closed) return;
    this.#fractionLost = loss;
    const before = this.#rung.isLow;
    this.#rung.observe(loss, performance.now());
    if (this.#rung.isLow === before || this.#encoder === null) return;
    this.#encoder.close();
    this.#encoder = this.#parts.openEncoder?.(this.#rung.isLow) ?? null;
    this.#isStarted = false;
  }

  #sendPicture(picture: EncodedPicture | null): void {
    if (this.#closed || picture === null || this.#video === null) return;
    this.#isStarted ||= picture.isKeyframe;
    if (this.#isStarted) this.#video.send(packetizeH264(picture.data), Math.round(90 * picture.atMs), true);
  }
}
