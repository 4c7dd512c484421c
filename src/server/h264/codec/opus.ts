/** Opus (RFC 6716) at 48 kHz. Takes a fraction of a millisecond for a packet, on the calling thread. */

import type { Sound } from '../../../media/sound.ts';
import { AV, type AvCodecContext, type AvFrame, type AvPacket, type CodecLibrary } from './codec-library.ts';

/** Samples a second, and samples per channel of one piece of `Sound`. */
export const OPUS_RATE = 48_000;
/** Samples per channel of ten milliseconds. */
export const PIECE_SAMPLES = 480;
/** Samples per channel of an outgoing packet: twenty milliseconds. */
const PACKET_SAMPLES = 960;
const BITS_PER_SECOND = 64_000n;

const layoutOf = (channels: number) => ({
  nbChannels: channels,
  order: AV.NATIVE_ORDER,
  mask: channels === 1 ? 4n : 3n,
});

/** One piece of ten milliseconds. @param samples PIECE_SAMPLES × channels, interleaved. */
export const pieceOf = (samples: Int16Array<ArrayBuffer>, channelCount: number): Sound => ({
  samples,
  sampleRate: OPUS_RATE,
  channelCount,
  numberOfFrames: PIECE_SAMPLES,
  bitsPerSample: 16,
});

/** Decodes packets of one stream to two channels. */
export class OpusDecoder {
  readonly #context: AvCodecContext;
  readonly #packet: AvPacket;
  readonly #frame: AvFrame;

  /** Channels of what is decoded. */
  readonly channels = 2;

  /** @throws Error where the library has no Opus decoder. */
  constructor(library: CodecLibrary) {
    const codec = library.Codec.findDecoderByName('libopus');
    if (codec === null) throw new Error('node-av has no Opus decoder');
    this.#context = new library.CodecContext();
    this.#context.allocContext3(codec);
    this.#context.sampleRate = OPUS_RATE;
    this.#context.channelLayout = layoutOf(this.channels);
    const result = this.#context.open2Sync(codec);
    if (result < 0) throw new Error(`the Opus decoder does not open (${result})`);
    this.#packet = new library.Packet();
    this.#packet.alloc();
    this.#frame = new library.Frame();
    this.#frame.alloc();
  }

  /** The samples of a packet, channels interleaved; null for bytes that are no Opus. */
  decode(payload: Uint8Array): Int16Array<ArrayBuffer> | null {
    this.#packet.data = Buffer.from(payload);
    const sent = this.#context.sendPacketSync(this.#packet);
    this.#packet.unref();
    if (sent < 0 || this.#context.receiveFrameSync(this.#frame) < 0) return null;
    const bytes = this.#frame.toBuffer();
    const isUsable = this.#frame.format === AV.S16 && this.#frame.channels === this.channels;
    this.#frame.unref();
    if (!isUsable) return null;
    return new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer);
  }

  /** To be called once. */
  close(): void {
    this.#packet.free();
    this.#frame.free();
    this.#context.freeContext();
  }
}

/** Encodes pieces of ten milliseconds to packets of twenty. */
export class OpusEncoder {
  readonly #library: CodecLibrary;
  readonly #packet: AvPacket;
  #open: { context: AvCodecContext; frame: AvFrame; channels: number } | null = null;
  /** The first half of the next packet. */
  #half: Int16Array | null = null;

  constructor(library: CodecLibrary) {
    this.#library = library;
    this.#packet = new library.Packet();
    this.#packet.alloc();
  }

  /**
   * Takes a piece at 48 kHz with one or two channels.
   * @returns a packet with every other piece, else null; null for pieces of another format.
   */
  encode({ samples, sampleRate, channelCount, numberOfFrames }: Sound): Buffer | null {
    if (sampleRate !== OPUS_RATE || numberOfFrames !== PIECE_SAMPLES || channelCount > 2) return null;
    if (this.#half === null || this.#open?.channels !== channelCount) {
      this.#contextFor(channelCount);
      this.#half = samples;
      return null;
    }
    const { context, frame } = this.#open;
    frame.makeWritable();
    const plane = frame.data![0]!;
    const bytes = (part: Int16Array): Uint8Array => new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
    plane.set(bytes(this.#half));
    plane.set(bytes(samples), this.#half.byteLength);
    this.#half = null;
    if (context.sendFrameSync(frame) < 0 || context.receivePacketSync(this.#packet) < 0) return null;
    const data = Buffer.from(this.#packet.data ?? []);
    this.#packet.unref();
    return data;
  }

  /** To be called once. */
  close(): void {
    this.#free();
    this.#packet.free();
  }

  #contextFor(channels: number): void {
    if (this.#open?.channels === channels) return;
    this.#free();
    const codec = this.#library.Codec.findEncoderByName('libopus');
    if (codec === null) throw new Error('node-av has no Opus encoder');
    const context = new this.#library.CodecContext();
    context.allocContext3(codec);
    context.sampleRate = OPUS_RATE;
    context.sampleFormat = AV.S16;
    context.channelLayout = layoutOf(channels);
    context.bitRate = BITS_PER_SECOND;
    context.timeBase = new this.#library.Rational(1, OPUS_RATE);
    context.setOption('application', 'lowdelay');
    const result = context.open2Sync(codec);
    if (result < 0) throw new Error(`the Opus encoder does not open (${result})`);
    const frame = new this.#library.Frame();
    frame.alloc();
    frame.nbSamples = PACKET_SAMPLES;
    frame.format = AV.S16;
    frame.sampleRate = OPUS_RATE;
    frame.channelLayout = layoutOf(channels);
    if (frame.getBuffer() < 0) throw new Error('no memory for sound');
    this.#open = { context, frame, channels };
  }

  #free(): void {
    this.#open?.frame.free();
    this.#open?.context.freeContext();
    this.#open = null;
  }
}
