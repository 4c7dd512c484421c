import { SerialQueue } from '../../../lib/serial.ts';
import { planesOf } from '../../../shared/i420.ts';
import type { Frame } from '../../../shared/types.ts';
import { AV, type AvCodecContext, type AvFrame, type AvPacket, type CodecLibrary } from './codec-library.ts';
import { type EncoderKind, encodersFor, type H264Profile, X264 } from './encoders.ts';
import { PictureConverter } from './picture-converter.ts';

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
/** An encoder in hardware that gives no picture for so many in a row is replaced. */
const MOST_SILENT = 5;
const SLICE_BYTES = '1100';

/**
 * Encodes I420 (BT.601, limited range) to H.264, without delay and without B-frames, by the first of several encoders that
 * works. The work is done on libuv's threads; the calling thread copies the frame. Frames of another size begin a new
 * coded sequence.
 */
export class PictureEncoder {
  readonly #library: CodecLibrary;
  readonly #options: EncoderOptions;
  readonly #packet: AvPacket;
  readonly #spare: AvFrame[] = [];
  readonly #jobs = new SerialQueue();
  /** Encoders that have not failed yet, best first. */
  #kinds: readonly EncoderKind[];
  #open: { context: AvCodecContext; kind: EncoderKind; width: number; height: number } | null = null;
  /** For encoders whose pictures have another layout. */
  #converter: PictureConverter | null = null;
  /** Pictures in a row for which the open encoder gave nothing. */
  #silent = 0;
  #wantsKeyframe = true;
  #waiting = 0;
  #closed = false;

  /** @param kinds encoders to try, best first. Packetization mode 0 takes x264 in any case, which keeps slices small. */
  constructor(library: CodecLibrary, options: EncoderOptions, kinds: readonly EncoderKind[] = encodersFor('x264')) {
    this.#library = library;
    this.#options = options;
    this.#kinds = options.isSliced ? [X264] : kinds;
    this.#packet = new library.Packet();
    this.#packet.alloc();
  }

  /** FFmpeg's name of the encoder in use; null before the first picture. */
  get encoderName(): string | null {
    return this.#open?.kind.name ?? null;
  }

  /** Makes the next picture a keyframe. */
  requestKeyframe(): void {
    this.#wantsKeyframe = true;
  }

  /**
   * Encodes a frame, which is copied before this returns.
   * @returns null for a frame that is left out, because the encoder is not done with those before it or is closed.
   * @throws Error where the last of the encoders fails.
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
      this.#closeContext();
      this.#converter?.close();
      this.#packet.free();
    });
  }

  /**
   * A native picture with the frame's content. Chroma of H.264 in 4:2:0 has half the columns and rows, so that sizes are
   * even: the last column or row of an odd frame is left out.
   */
  #copy(frame: Frame): AvFrame {
    const [width, height] = [frame.width & ~1, frame.height & ~1];
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
    const { chromaWidth, u, v } = planesOf(frame);
    const planes = [
      { at: 0, from: frame.width, columns: width, rows: height },
      { at: u, from: chromaWidth, columns: width / 2, rows: height / 2 },
      { at: v, from: chromaWidth, columns: width / 2, rows: height / 2 },
    ];
    const native = picture.data ?? [];
    const { linesize } = picture;
    for (const [index, { at, from, columns, rows }] of planes.entries()) {
      const stride = linesize[index]!;
      if (stride === columns && from === columns) native[index]!.set(frame.data.subarray(at, at + columns * rows));
      else
        for (let y = 0; y < rows; y++)
          native[index]!.set(frame.data.subarray(at + y * from, at + y * from + columns), y * stride);
    }
    return picture;
  }

  async #encode(picture: AvFrame, atMs: number): Promise<EncodedPicture | null> {
    for (;;) {
      const { context, kind } = await this.#openFor(picture);
      const converted = kind.pixelFormat === picture.format ? picture : await this.#convert(picture, kind.pixelFormat);
      converted.pictType = this.#wantsKeyframe ? AV.PICTURE_I : 0;
      const sent = await context.sendFrame(converted);
      const received = sent < 0 ? sent : await context.receivePacket(this.#packet);
      if (received >= 0) break;
      const isLate = sent >= 0 && kind !== this.#kinds.at(-1) && ++this.#silent < MOST_SILENT;
      if (isLate) return null;
      this.#giveUp(kind, `fails (${received})`);
    }
    this.#silent = 0;
    this.#wantsKeyframe = false;
    const { data, isKeyframe } = this.#packet;
    const copy = Buffer.from(data ?? []);
    this.#packet.unref();
    return { data: copy, isKeyframe, atMs };
  }

  /** The picture in another layout. */
  #convert(picture: AvFrame, format: number): Promise<AvFrame> {
    this.#converter ??= new PictureConverter(this.#library);
    return this.#converter.convert(picture, format);
  }

  /** The open encoder, or the first that opens for pictures of this size. @throws Error where none does. */
  async #openFor({ width, height }: AvFrame): Promise<{ context: AvCodecContext; kind: EncoderKind }> {
    if (this.#open?.width === width && this.#open.height === height) return this.#open;
    this.#closeContext();
    this.#wantsKeyframe = true;
    for (;;) {
      const kind = this.#kinds[0]!;
      const { context, failure } = await this.#tryToOpen(kind, width, height);
      if (failure === null) {
        this.#open = { context, kind, width, height };
        return this.#open;
      }
      context.freeContext();
      this.#giveUp(kind, `does not open for ${width}x${height} (${failure})`);
    }
  }

  async #tryToOpen(
    kind: EncoderKind,
    width: number,
    height: number,
  ): Promise<{ context: AvCodecContext; failure: number | string | null }> {
    const context = new this.#library.CodecContext();
    const codec = this.#library.Codec.findEncoderByName(kind.name);
    if (codec === null) return { context, failure: 'FFmpeg was built without it' };
    const { profile, maxKbps, isSliced } = this.#options;
    context.allocContext3(codec);
    Object.assign(context, { width, height, pixelFormat: kind.pixelFormat });
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
    if (kind !== X264) context.bitRate = BigInt(1000 * maxKbps);
    for (const [name, value] of Object.entries(kind.options(profile))) context.setOption(name, value);
    if (isSliced) context.setOption('x264-params', `slice-max-size=${SLICE_BYTES}`);
    const result = await context.open2(codec);
    return { context, failure: result < 0 ? result : null };
  }

  /** Goes on with the next encoder. @throws Error where there is none. */
  #giveUp(kind: EncoderKind, why: string): void {
    this.#closeContext();
    this.#silent = 0;
    if (this.#kinds.length === 1) throw new Error(`${kind.name} ${why}`);
    this.#kinds = this.#kinds.filter((one) => one !== kind);
  }

  #closeContext(): void {
    this.#open?.context.freeContext();
    this.#open = null;
  }
}

/** FFmpeg's name of the first of several encoders that works on this machine. @throws Error where none does. */
export async function workingEncoder(library: CodecLibrary, kinds: readonly EncoderKind[]): Promise<string> {
  const [width, height, pictures] = [320, 240, MOST_SILENT * kinds.length];
  const encoder = new PictureEncoder(library, { profile: 'baseline', maxKbps: 1000, isSliced: false }, kinds);
  try {
    const frame = { width, height, data: new Uint8Array(planesOf({ width, height }).bytes).fill(128), receivedAtMs: 0 };
    for (let n = 0; n < pictures; n++) if ((await encoder.encode(frame)) !== null) break;
    return encoder.encoderName ?? 'none';
  } finally {
    encoder.close();
  }
}
