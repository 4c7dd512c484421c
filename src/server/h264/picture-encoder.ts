import { SerialQueue } from '../../lib/serial.ts';
import { planesOf } from '../../shared/i420.ts';
import type { Frame } from '../../shared/types.ts';
import { AV, type AvCodecContext, type AvFrame, type AvPacket, type CodecLibrary } from './codec-library.ts';

/** Profiles to encode in: those that offers name by the first byte of `profile-level-id`. */
export type H264Profile = 'baseline' | 'main' | 'high';

/** What an encoder makes. */
export interface EncoderOptions {
  profile: H264Profile;
  /** Highest mean bit rate, in kbit/s; less where the picture needs less. */
  maxKbps: number;
  /** Whether every NAL unit fits into a packet (packetization mode 0). */
  isSliced: boolean;
}

/** One encoded picture. */
export interface EncodedPicture {
  /** Annex B; a keyframe with its parameter sets. */
  data: Buffer;
  isKeyframe: boolean;
  /** When its encoding began, on the clock of `performance.now()`. */
  atMs: number;
}

/** Frames in the encoder at a time: one in work and one that waits. */
const MOST_WAITING = 2;
/** Keyframes without being asked for: viewers whose request is lost need not wait longer. In pictures. */
const KEYFRAME_INTERVAL = 300;
/** Quality (x264's constant rate factor) where the bit rate allows. */
const QUALITY = '24';
const SLICE_BYTES = '1100';

/**
 * Encodes I420 (BT.601, limited range) to H.264 by x264, without delay and without B-frames. The work is done on libuv's
 * threads; the calling thread copies the frame. Frames of another size begin a new coded sequence.
 */
export class PictureEncoder {
  readonly #library: CodecLibrary;
  readonly #options: EncoderOptions;
  readonly #packet: AvPacket;
  readonly #spare: AvFrame[] = [];
  readonly #jobs = new SerialQueue();
  #open: { context: AvCodecContext; width: number; height: number } | null = null;
  #wantsKeyframe = true;
  #waiting = 0;
  #closed = false;

  constructor(library: CodecLibrary, options: EncoderOptions) {
    this.#library = library;
    this.#options = options;
    this.#packet = new library.Packet();
    this.#packet.alloc();
  }

  /** Makes the next picture a keyframe. */
  requestKeyframe(): void {
    this.#wantsKeyframe = true;
  }

  /**
   * Encodes a frame, which is copied before this returns.
   * @returns null for a frame that is left out, because the encoder is not done with those before it or is closed.
   * @throws Error where x264 fails.
   */
  async encode(frame: Frame): Promise<EncodedPicture | null> {
    if (this.#closed || this.#waiting === MOST_WAITING) return null;
    const atMs = performance.now();
    const picture = this.#copy(frame);
    picture.pts = BigInt(Math.round(90 * atMs));
    this.#waiting++;
    try {
      return await this.#jobs.run(() => (this.#closed ? null : this.#encode(picture, atMs)));
    } finally {
      this.#waiting--;
      if (this.#closed) picture.free();
      else this.#spare.push(picture);
    }
  }

  /** Idempotent. The native memory goes when the work in hand is done. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const picture of this.#spare.splice(0)) picture.free();
    void this.#jobs.run(() => {
      this.#open?.context.freeContext();
      this.#packet.free();
    });
  }

  /** A native picture with the frame's content. */
  #copy({ width, height, data }: Frame): AvFrame {
    let picture = this.#spare.pop();
    if (picture === undefined) {
      picture = new this.#library.Frame();
      picture.alloc();
    }
    if (picture.width !== width || picture.height !== height) {
      picture.unref();
      Object.assign(picture, { width, height, format: AV.YUV420P });
      if (picture.getBuffer() < 0) throw new Error(`no memory for a picture of ${width}x${height}`);
    } else picture.makeWritable();
    const { chromaWidth, chromaHeight, u, v } = planesOf({ width, height });
    const planes = [
      { at: 0, columns: width, rows: height },
      { at: u, columns: chromaWidth, rows: chromaHeight },
      { at: v, columns: chromaWidth, rows: chromaHeight },
    ];
    const native = picture.data ?? [];
    const { linesize } = picture;
    for (const [index, { at, columns, rows }] of planes.entries()) {
      const stride = linesize[index]!;
      if (stride === columns) native[index]!.set(data.subarray(at, at + columns * rows));
      else
        for (let y = 0; y < rows; y++)
          native[index]!.set(data.subarray(at + y * columns, at + (y + 1) * columns), y * stride);
    }
    return picture;
  }

  async #encode(picture: AvFrame, atMs: number): Promise<EncodedPicture | null> {
    const context = await this.#contextFor(picture);
    picture.pictType = this.#wantsKeyframe ? AV.PICTURE_I : 0;
    this.#wantsKeyframe = false;
    const sent = await context.sendFrame(picture);
    const received = sent < 0 ? sent : await context.receivePacket(this.#packet);
    if (received < 0) throw new Error(`x264 failed (${received})`);
    const { data, isKeyframe } = this.#packet;
    const copy = Buffer.from(data ?? []);
    this.#packet.unref();
    return { data: copy, isKeyframe, atMs };
  }

  async #contextFor({ width, height }: AvFrame): Promise<AvCodecContext> {
    if (this.#open?.width === width && this.#open.height === height) return this.#open.context;
    this.#open?.context.freeContext();
    this.#open = null;
    const codec = this.#library.Codec.findEncoderByName('libx264');
    if (codec === null) throw new Error('node-av has no x264');
    const { profile, maxKbps, isSliced } = this.#options;
    const context = new this.#library.CodecContext();
    context.allocContext3(codec);
    Object.assign(context, { width, height, pixelFormat: AV.YUV420P });
    context.colorSpace = AV.SMPTE170M;
    context.colorRange = AV.LIMITED_RANGE;
    context.timeBase = new this.#library.Rational(1, 90_000);
    context.framerate = new this.#library.Rational(30, 1);
    context.gopSize = KEYFRAME_INTERVAL;
    context.maxBFrames = 0;
    context.threadCount = 1;
    context.rcMaxRate = BigInt(1000 * maxKbps);
    // Half a second of the bit rate: the largest keyframe, and the longest wait behind it.
    context.rcBufferSize = 500 * maxKbps;
    // No keyframes at cuts: each is a burst of packets, and no viewer needs it.
    const options = {
      preset: 'superfast',
      tune: 'zerolatency',
      profile,
      crf: QUALITY,
      'forced-idr': '1',
      sc_threshold: '0',
    };
    for (const [name, value] of Object.entries(options)) context.setOption(name, value);
    if (isSliced) context.setOption('x264-params', `slice-max-size=${SLICE_BYTES}`);
    const result = await context.open2(codec);
    if (result < 0) {
      context.freeContext();
      throw new Error(`x264 does not open for ${width}x${height} (${result})`);
    }
    this.#open = { context, width, height };
    this.#wantsKeyframe = true;
    return context;
  }
}
