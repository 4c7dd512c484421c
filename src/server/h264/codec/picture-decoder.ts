import { SerialQueue } from '../../../lib/serial.ts';
import type { Frame } from '../../../shared/types.ts';
import { AV, type AvCodecContext, type AvFrame, type AvPacket, type CodecLibrary } from './codec-library.ts';
import { PictureConverter } from './picture-converter.ts';

/** Most pixels of a picture: those of 4096×2304, H.264's level 5.1. What claims more allocates nothing. */
const MOST_PIXELS = 4096 * 2304;

/**
 * Decodes H.264 to I420 in BT.601, limited range, one access unit after another. The work is done on libuv's threads; the
 * calling thread only copies the result.
 */
export class PictureDecoder {
  readonly #library: CodecLibrary;
  readonly #context: AvCodecContext;
  readonly #packet: AvPacket;
  readonly #decoded: AvFrame;
  readonly #jobs = new SerialQueue();
  /** Converts pictures of other formats and colours; created when one comes. */
  #converter: PictureConverter | null = null;
  #closed = false;

  /** @throws Error where the library has no H.264 decoder. */
  constructor(library: CodecLibrary) {
    this.#library = library;
    const codec = library.Codec.findDecoderByName('h264');
    if (codec === null) throw new Error('node-av has no H.264 decoder');
    this.#context = new library.CodecContext();
    this.#context.allocContext3(codec);
    // One thread: more would hold pictures back, and one decodes 1080p60.
    this.#context.threadCount = 1;
    this.#context.setFlags(AV.LOW_DELAY);
    this.#context.setOption('max_pixels', String(MOST_PIXELS));
    const result = this.#context.open2Sync(codec);
    if (result < 0) throw new Error(`the H.264 decoder does not open (${result})`);
    this.#packet = new library.Packet();
    this.#packet.alloc();
    this.#decoded = new library.Frame();
    this.#decoded.alloc();
  }

  /**
   * Decodes an access unit.
   * @param data Annex B; empty units give no picture.
   * @param restarts whether all pictures before are forgotten first; none comes then up to the next recovery point or IDR.
   * @returns a picture, that of an earlier unit in a stream with B-frames; null without one, and after `close`.
   * @throws Error for data that cannot be decoded without a flaw.
   */
  async decode(data: Buffer, restarts = false): Promise<Frame | null> {
    return this.#jobs.run(() => {
      if (this.#closed || data.length === 0) return null;
      if (restarts) this.#context.flushBuffers();
      return this.#decode(data);
    });
  }

  /** Takes parameter sets. @param sets Annex B; the decoder calls them an error, as they give no picture. */
  async useSets(sets: Buffer): Promise<void> {
    await this.decode(sets).catch(() => undefined);
  }

  /** Idempotent. The native memory goes when the work in hand is done. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    void this.#jobs.run(() => {
      this.#packet.free();
      this.#decoded.free();
      this.#context.freeContext();
      this.#converter?.close();
    });
  }

  async #decode(data: Buffer): Promise<Frame | null> {
    this.#packet.data = data;
    const sent = await this.#context.sendPacket(this.#packet);
    this.#packet.unref();
    if (sent < 0) throw new Error(`H.264 cannot be decoded (${sent})`);
    // There is at most one picture for each unit.
    if ((await this.#context.receiveFrame(this.#decoded)) < 0) return null;
    try {
      if ((this.#decoded.flags & AV.CORRUPT) !== 0 || this.#decoded.decodeErrorFlags !== 0)
        throw new Error('a picture is incomplete');
      return await this.#frameOf(this.#decoded);
    } finally {
      this.#decoded.unref();
    }
  }

  async #frameOf(decoded: AvFrame): Promise<Frame> {
    const { format, colorSpace, colorRange } = decoded;
    const isPlain =
      format === AV.YUV420P &&
      colorRange !== AV.FULL_RANGE &&
      (colorSpace === AV.UNSPECIFIED || colorSpace === AV.SMPTE170M);
    const { width, height } = decoded;
    if (!isPlain) this.#converter ??= new PictureConverter(this.#library);
    const copy = (isPlain ? decoded : await this.#converter!.convert(decoded, AV.YUV420P)).toBuffer();
    const data = copy.length === copy.buffer.byteLength ? copy.buffer : copy.buffer.slice(copy.byteOffset, copy.length);
    return { width, height, data: new Uint8Array(data as ArrayBuffer), receivedAtMs: performance.now() };
  }
}
