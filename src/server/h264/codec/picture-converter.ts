import { AV, type AvFrame, type AvScaler, type CodecLibrary } from './codec-library.ts';

/** Converts pictures to another layout, in BT.601 and limited range, on libuv's threads. */
export class PictureConverter {
  readonly #context: AvScaler;
  readonly #converted: AvFrame;

  constructor(library: CodecLibrary) {
    this.#context = new library.SoftwareScaleContext();
    this.#context.allocContext();
    this.#converted = new library.Frame();
    this.#converted.alloc();
  }

  /** @param format pixel format to convert to. @returns the picture with its time, good until the next call. @throws Error where that fails. */
  async convert(picture: AvFrame, format: number): Promise<AvFrame> {
    const converted = this.#converted;
    const { width, height, pts } = picture;
    converted.unref();
    Object.assign(converted, { width, height, format });
    converted.colorSpace = AV.SMPTE170M;
    converted.colorRange = AV.LIMITED_RANGE;
    const result = await this.#context.scaleFrame(converted, picture);
    if (result < 0) throw new Error(`a picture of pixel format ${picture.format} cannot be converted (${result})`);
    converted.pts = pts;
    return converted;
  }

  /** Frees the native memory; nothing may be in work. */
  close(): void {
    this.#converted.free();
    this.#context.freeContext();
  }
}
