/** Clips as streams of I420 frames. y4m is read and written here, every other format through ffmpeg. */

import { createReadStream, createWriteStream } from 'node:fs';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { FaceOffError } from '../shared/errors.ts';
import { planesOf } from '../shared/i420.ts';
import { describeStreams, type Ffmpeg, noFfmpeg, startFfmpeg } from './ffmpeg.ts';

/** One frame of a clip. */
export interface ClipFrame {
  /** I420, in a buffer of its own. */
  data: Uint8Array<ArrayBuffer>;
  /** How long the frame is shown, in milliseconds, where each frame has a time of its own. */
  delayMs?: number;
  /** Opacity of each pixel, 0..255, row by row; left out where every pixel is opaque. */
  alpha?: Uint8Array;
}

/** Frames of one size, one after another. */
export interface Clip extends AsyncIterable<ClipFrame> {
  width: number;
  height: number;
  /** Frames a second. */
  fps: number;
  /** The same rate as the fraction that y4m and ffmpeg write. */
  rate: { numerator: number; denominator: number };
  /** Whether luma is 0 to 255 instead of 16 to 235. */
  fullRange: boolean;
  /** Number of frames; null where it is known only at the end. */
  frames: number | null;
  /** How often an animation plays, 0 without end; left out for anything else. */
  loop?: number;
  /** Lets the source go before its end. Idempotent. */
  close(): void;
}

/** Where the frames of a clip are written to. */
export interface ClipSink {
  write(frame: ClipFrame): Promise<void>;
  /** Resolves when everything is on disk. @throws FaceOffError `bad_clip`. */
  end(): Promise<void>;
  /** Stops without finishing the file. */
  abort(): Promise<void>;
}

/** Shortest time of a frame, in milliseconds, that browsers keep to; a shorter one they show for 100 ms. */
export const SHORTEST_MS = 20;
/** How long browsers show a frame with that time, in milliseconds. */
export const shownMs = (delayMs: number): number => (delayMs < SHORTEST_MS ? 100 : delayMs);

const isY4m = (file: string): boolean => path.extname(file).toLowerCase() === '.y4m';

/** Filter: 4:2:0 in the range that the input has, as a conversion would change every pixel. */
const KEEP_RANGE = 'format=pix_fmts=yuv420p|yuvj420p';
/** Filter: H.264 in 4:2:0 has even sizes only, so an odd size loses its last row or column. */
const MAKE_EVEN = 'crop=trunc(iw/2)*2:trunc(ih/2)*2';

/** Opens a clip for reading: y4m directly, anything else through ffmpeg. @throws FaceOffError `bad_clip`, `no_ffmpeg`. */
export async function openClip(file: string): Promise<Clip> {
  if (isY4m(file)) {
    const stream = createReadStream(file, { highWaterMark: 1 << 20 });
    return readY4m(stream, file, { finished: async () => undefined, close: () => stream.destroy() });
  }
  // ffmpeg turns it upright, to I420 and to a steady rate: a phone's frames come at uneven times, which y4m cannot say.
  const ffmpeg = startFfmpeg(
    ['-i', file, '-fps_mode', 'cfr', '-vf', KEEP_RANGE, '-strict', '-1', '-f', 'yuv4mpegpipe', '-'],
    { stdout: 'pipe' },
  );
  return readY4m(ffmpeg.stdout!, file, { finished: () => successOf(ffmpeg), close: () => ffmpeg.kill() });
}

/** How a clip is written. */
export interface SinkOptions {
  /** Whether the coding is lossless, for measuring. */
  lossless: boolean;
  /** A file whose first sound track is written, too. */
  audioFrom: string;
}

/** Opens a file for writing a clip like `clip`: y4m directly, anything else through ffmpeg. */
export async function openSink(file: string, clip: Clip, { lossless, audioFrom }: SinkOptions): Promise<ClipSink> {
  const { width, height, rate, fullRange } = clip;
  const range = fullRange ? ' XCOLORRANGE=FULL' : '';
  const header = `YUV4MPEG2 W${width} H${height} F${rate.numerator}:${rate.denominator} Ip A1:1 C420jpeg${range}\n`;
  if (isY4m(file)) {
    const out = createWriteStream(file);
    return sinkInto(out, header, clip.fps, { finished: async () => undefined, close: () => out.destroy() });
  }
  const coding = lossless ? losslessFor(file) : codingFor(file);
  const sound = await soundFor(audioFrom, file);
  const input = ['-y', '-f', 'yuv4mpegpipe', '-i', '-', ...sound, '-fps_mode', 'passthrough'];
  const filter = coding.includes('libx264') ? `${KEEP_RANGE},${MAKE_EVEN}` : KEEP_RANGE;
  const ffmpeg = startFfmpeg([...input, ...coding, '-vf', filter, file], { stdin: 'pipe' });
  return sinkInto(ffmpeg.stdin!, header, clip.fps, { finished: () => successOf(ffmpeg), close: () => ffmpeg.kill() });
}

/** Resolves when an ffmpeg has ended without an error. @throws FaceOffError `no_ffmpeg`, `bad_clip`. */
async function successOf({ exit }: Ffmpeg): Promise<void> {
  const { code, said, isMissing } = await exit;
  if (isMissing) throw noFfmpeg('This format', 'Install it, or use y4m, png, jpeg or webp files.');
  if (code !== 0) throw new FaceOffError('bad_clip', `ffmpeg stopped: ${said || `code ${code}`}`);
}

/** The process or file behind the frames. */
interface ClipSource {
  /** Resolves at its end. Rejects where it ended because of an error. */
  finished(): Promise<void>;
  /** Ends it early. */
  close(): void;
}

const endingOf = (file: string): string => path.extname(file).slice(1).toLowerCase();

function codingFor(file: string): string[] {
  if (endingOf(file) === 'webm')
    return ['-c:v', 'libvpx-vp9', '-crf', '24', '-b:v', '0', '-cpu-used', '5', '-row-mt', '1'];
  return ['-c:v', 'libx264', '-crf', '18', '-preset', 'veryfast'];
}

function losslessFor(file: string): string[] {
  if (['mkv', 'avi', 'nut'].includes(endingOf(file))) return ['-c:v', 'ffv1'];
  if (endingOf(file) === 'webm') return ['-c:v', 'libvpx-vp9', '-lossless', '1', '-cpu-used', '5', '-row-mt', '1'];
  return ['-c:v', 'libx264', '-qp', '0', '-preset', 'ultrafast'];
}

/** Sound codecs that a file of each ending can hold; any other is coded anew, as ffmpeg chooses for the ending. */
const HOLDS: Record<string, RegExp> = {
  mkv: /./,
  mp4: /^(aac|mp3|ac3|eac3|alac|opus|flac)$/,
  m4v: /^(aac|mp3|ac3|eac3|alac)$/,
  mov: /^(aac|mp3|ac3|eac3|alac|pcm_s16le)$/,
  webm: /^(opus|vorbis)$/,
  avi: /^(mp3|ac3|pcm_s16le)$/,
};

/** ffmpeg's arguments for the first sound track of the input, copied where the output can hold it. */
async function soundFor(input: string, output: string): Promise<string[]> {
  if (isY4m(input)) return [];
  const codec = /Stream #0:.*Audio: (\w+)/.exec(await describeStreams(input))?.[1];
  if (codec === undefined) return [];
  const copied = HOLDS[endingOf(output)]?.test(codec) ?? false;
  return ['-i', input, '-map', '0:v', '-map', '1:a:0', ...(copied ? ['-c:a', 'copy'] : [])];
}

/** Most bytes of a header line. */
const LONGEST_LINE = 1024;

/** Reads y4m from a stream. @param file its name, for messages. @throws FaceOffError `bad_clip`, and those of `finished`. */
export async function readY4m(stream: Readable, file: string, { finished, close }: ClipSource): Promise<Clip> {
  const reader = new ByteReader(stream);
  const header = await reader.line(LONGEST_LINE);
  if (header === null || !header.startsWith('YUV4MPEG2 ')) {
    await finished();
    throw new FaceOffError('bad_clip', `${file} is not a clip: it does not begin as a y4m file does.`);
  }
  const field = (letter: string): string | undefined =>
    header
      .split(' ')
      .slice(1)
      .find((f) => f[0] === letter)
      ?.slice(1);
  const width = Number(field('W'));
  const height = Number(field('H'));
  const [numerator, denominator] = (field('F') ?? '30:1').split(':').map(Number) as [number, number];
  const colours = field('C') ?? '420jpeg';
  if (!colours.startsWith('420') || /p\d\d/.test(colours) || !(width > 0 && height > 0 && width * height <= 1e8)) {
    throw new FaceOffError(
      'bad_clip',
      `${file} has a picture format that cannot be read (${header.slice(0, 100)}). It must be 8-bit 4:2:0; ffmpeg -pix_fmt yuv420p makes it so.`,
    );
  }
  const { bytes } = planesOf({ width, height });
  async function* frames(): AsyncGenerator<ClipFrame> {
    for (let n = 0; ; n++) {
      const line = await reader.line(LONGEST_LINE);
      if (line === null) break;
      const data = line.startsWith('FRAME') ? await reader.take(bytes) : null;
      if (data === null) throw new FaceOffError('bad_clip', `${file} ends in the middle of frame ${n}.`);
      yield { data };
    }
    await finished();
  }
  const fps = numerator > 0 && denominator > 0 ? numerator / denominator : 30;
  return {
    width,
    height,
    fps,
    rate: { numerator: numerator || 30, denominator: denominator || 1 },
    fullRange: header.includes('XCOLORRANGE=FULL'),
    frames: null,
    close,
    [Symbol.asyncIterator]: frames,
  };
}

/** Lines and blocks out of a byte stream. */
class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array();

  constructor(stream: Readable) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  async #more(): Promise<boolean> {
    const { done, value } = await this.#chunks.next();
    if (done) return false;
    this.#rest = this.#rest.length === 0 ? value : Buffer.concat([this.#rest, value]);
    return true;
  }

  /** Up to a newline, without it; null at the end. */
  async line(longest: number): Promise<string | null> {
    let end = this.#rest.indexOf(10);
    while (end < 0 && this.#rest.length < longest && (await this.#more())) end = this.#rest.indexOf(10);
    if (end < 0) return null;
    const text = Buffer.from(this.#rest.subarray(0, end)).toString('latin1');
    this.#rest = this.#rest.subarray(end + 1);
    return text;
  }

  /** Exactly so many bytes, in a buffer of their own; null when the stream ends before. */
  async take(count: number): Promise<Uint8Array<ArrayBuffer> | null> {
    const out = new Uint8Array(count);
    let filled = 0;
    while (filled < count) {
      if (this.#rest.length === 0 && !(await this.#more())) return null;
      const part = this.#rest.subarray(0, count - filled);
      out.set(part, filled);
      filled += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    return out;
  }
}

/** Writes y4m into a stream; a frame that is shown for longer than a tick of `fps` is repeated. */
function sinkInto(stream: Writable, header: string, fps: number, { finished, close }: ClipSource): ClipSink {
  let failed: unknown = null;
  const closed = new Promise<void>((resolve) => stream.once('close', () => resolve()));
  stream.on('error', (error) => {
    failed ??= error;
  });
  const put = async (data: string | Uint8Array): Promise<void> => {
    if (failed !== null) await finished();
    if (failed !== null) throw failed;
    if (!stream.write(data)) await Promise.race([new Promise((resolve) => stream.once('drain', resolve)), closed]);
  };
  const started = put(header);
  started.catch(() => undefined);
  return {
    async write({ data, delayMs }) {
      await started;
      const times = delayMs === undefined ? 1 : Math.round((shownMs(delayMs) * fps) / 1000);
      for (let n = 0; n < times; n++) {
        await put('FRAME\n');
        await put(data);
      }
    },
    async end() {
      await started;
      stream.end();
      await finished();
      await closed;
      if (failed !== null) throw failed;
    },
    async abort() {
      close();
      await finished().catch(() => undefined);
    },
  };
}
