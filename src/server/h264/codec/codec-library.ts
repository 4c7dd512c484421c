/**
 * The used part of node-av, FFmpeg as a native module. It is not a dependency: `faceoff h264 install` fetches it. Calls
 * return 0 or more, or a negative FFmpeg error; the asynchronous ones work on libuv's threads. Two traps, both found the
 * hard way: `Frame.fromBuffer` does not copy but refers to the caller's memory, and a `Dictionary` that was passed to
 * `open2` is freed twice. FaceOff copies into `Frame.data` and sets options one by one.
 */

/** A native object with memory of its own. */
export interface AvPacket {
  alloc(): void;
  free(): void;
  unref(): void;
  /** Copied in when set. */
  data: Buffer | null;
  readonly isKeyframe: boolean;
  pts: bigint;
}

/** A decoded picture or piece of sound (AVFrame). */
export interface AvFrame {
  alloc(): void;
  free(): void;
  unref(): void;
  width: number;
  height: number;
  format: number;
  nbSamples: number;
  pts: bigint;
  pictType: number;
  colorSpace: number;
  colorRange: number;
  sampleRate: number;
  channelLayout: AvChannelLayout;
  readonly channels: number;
  readonly flags: number;
  /** What of a decoded picture was missing or wrong and made up for; 0 for a whole one. */
  readonly decodeErrorFlags: number;
  /** Bytes from one row to the next, by plane. */
  readonly linesize: number[];
  /** Views of the native planes, padding included. */
  readonly data: (Buffer | null)[] | null;
  getBuffer(align?: number): number;
  makeWritable(): number;
  /** A copy without padding. */
  toBuffer(): Buffer;
}

/** Number and places of the channels (AVChannelLayout). */
export interface AvChannelLayout {
  nbChannels: number;
  order: number;
  mask: bigint;
}

/** An open decoder or encoder (AVCodecContext). */
export interface AvCodecContext {
  allocContext3(codec: AvCodec): void;
  freeContext(): void;
  setOption(name: string, value: string): number;
  open2(codec: AvCodec): Promise<number>;
  open2Sync(codec: AvCodec): number;
  sendPacket(packet: AvPacket): Promise<number>;
  sendPacketSync(packet: AvPacket): number;
  receiveFrame(frame: AvFrame): Promise<number>;
  receiveFrameSync(frame: AvFrame): number;
  /** Forgets all pictures, not the parameter sets. */
  flushBuffers(): void;
  sendFrame(frame: AvFrame): Promise<number>;
  sendFrameSync(frame: AvFrame): number;
  receivePacket(packet: AvPacket): Promise<number>;
  receivePacketSync(packet: AvPacket): number;
  setFlags(...flags: number[]): void;
  width: number;
  height: number;
  pixelFormat: number;
  colorSpace: number;
  colorRange: number;
  threadCount: number;
  timeBase: unknown;
  framerate: unknown;
  gopSize: number;
  maxBFrames: number;
  bitRate: bigint;
  rcMaxRate: bigint;
  rcBufferSize: number;
  sampleRate: number;
  sampleFormat: number;
  channelLayout: AvChannelLayout;
}

/** A scaler that also converts colours (SwsContext). */
export interface AvScaler {
  allocContext(): void;
  freeContext(): void;
  scaleFrame(to: AvFrame, from: AvFrame): Promise<number>;
}

/** A codec that the library was built with. */
export interface AvCodec {
  readonly name: string | null;
}

/** `node-av/lib`. */
export interface CodecLibrary {
  Codec: { findDecoderByName(name: string): AvCodec | null; findEncoderByName(name: string): AvCodec | null };
  CodecContext: new () => AvCodecContext;
  Packet: new () => AvPacket;
  Frame: new () => AvFrame;
  Rational: new (numerator: number, denominator: number) => unknown;
  SoftwareScaleContext: new () => AvScaler;
  Log: { setLevel(level: number): void };
}

/** The used values of FFmpeg's enumerations (`node-av/constants`); they belong to FFmpeg's stable interface. */
export const AV = {
  YUV420P: 0,
  NV12: 23,
  S16: 1,
  /** Matrices: ITU-R BT.709, unknown, and BT.601. */
  BT709: 1,
  UNSPECIFIED: 2,
  SMPTE170M: 6,
  LIMITED_RANGE: 1,
  FULL_RANGE: 2,
  PICTURE_I: 1,
  LOW_DELAY: 0x80000,
  CORRUPT: 1,
  NATIVE_ORDER: 1,
  LOG_QUIET: -8,
} as const;
