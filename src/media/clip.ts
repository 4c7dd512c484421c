/** Clips as streams of I420 frames: y4m read and written here, everything else through ffmpeg. */

import { spawn, spawnSync } from 'node:child_process';
import { createReadStream, createWriteStream } from 'node:fs';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { FaceOffError } from '../shared/errors.ts';

export interface ClipFrame {
  /** I420, in a buffer of its own. */
  data: Uint8Array<ArrayBuffer>;
  /** How long it is to be seen, where each frame says so itself. */
  delayMs?: number;
  /** How far each pixel hides what is behind, where not all do. */
  alpha?: Uint8Array;
}

/** Frames of one size, one after another. */
export interface Clip extends AsyncIterable<ClipFrame> {
  width: number;
  height: number;
  fps: number;
  /** The rate as y4m and ffmpeg write it. */
  rate: { numerator: number; denominator: number };
  /** Luma from 0 to 255 instead of 16 to 235. */
  fullRange: boolean;
  /** How many there are, where that is known before the end. */
  frames: number | null;
  /** How often it is played, 0 for ever; only animations say so. */
  loop?: number;
  /** Idempotent; for whoever does not read to the end. */
  close(): void;
}

export interface ClipSink {
  write(frame: ClipFrame): Promise<void>;
  /** Resolves when everything is on disk. */
  end(): Promise<void>;
  abort(): Promise<void>;
}

/** What says that it is to be seen for less is seen for a tenth of a second by every browser. */
export const SHORTEST_MS = 20;
export const shownMs = (delayMs: number): number => (delayMs < SHORTEST_MS ? 100 : delayMs);

const isY4m = (file: string): boolean => path.extname(file).toLowerCase() === '.y4m';

/** 4:2:0 in the range it already has: a conversion would change every pixel. */
const KEEP_RANGE = 'format=pix_fmts=yuv420p|yuvj420p';
/** H.264 in 4:2:0 has even sizes only: an odd one loses its last row or column. */
const MAKE_EVEN = 'crop=trunc(iw/2)*2:trunc(ih/2)*2';

/** @throws FaceOffError `bad_clip`, `no_ffmpeg`. */
export async function openClip(file: string): Promise<Clip> {
  if (isY4m(file)) {
    const stream = createReadStream(file, { highWaterMark: 1 << 20 });
    return readY4m(
      stream,
      file,
      async () => undefined,
      () => stream.destroy(),
    );
  }
  // ffmpeg makes it upright, I420 and steady, whatever it was: a phone's frames come at uneven times, which y4m cannot say.
  const child = runFfmpeg(
    ['-v', 'error', '-i', file, '-fps_mode', 'cfr', '-vf', KEEP_RANGE, '-strict', '-1', '-f', 'yuv4mpegpipe', '-'],
    'read',
  );
  return readY4m(child.stdout!, file, child.finished, child.kill);
}

export async function openSink(
  file: string,
  clip: Clip,
  options: { lossless: boolean; audioFrom: string },
): Promise<ClipSink> {
  const { width, height, rate, fps, fullRange } = clip;
  const range = fullRange ? ' XCOLORRANGE=FULL' : '';
  const header = `YUV4MPEG2 W${width} H${height} F${rate.numerator}:${rate.denominator} Ip A1:1 C420jpeg${range}\n`;
  if (isY4m(file)) {
    const out = createWriteStream(file);
    return sinkInto(
      out,
      header,
      fps,
      async () => undefined,
      () => out.destroy(),
    );
  }
  const coding = options.lossless ? losslessFor(file) : codingFor(file);
  const sound = soundFor(options.audioFrom, file);
  const child = runFfmpeg(
    [
      '-v',
      'error',
      '-y',
      '-f',
      'yuv4mpegpipe',
      '-i',
      '-',
      ...sound,
      '-fps_mode',
      'passthrough',
      ...coding,
      '-vf',
      coding.includes('libx264') ? `${KEEP_RANGE},${MAKE_EVEN}` : KEEP_RANGE,
      file,
    ],
    'write',
  );
  return sinkInto(child.stdin!, header, fps, child.finished, () => child.kill());
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

/** What a file of that ending can hold as it is; anything else is coded anew, as ffmpeg does for the ending. */
const HOLDS: Record<string, RegExp> = {
  mkv: /./,
  mp4: /^(aac|mp3|ac3|eac3|alac|opus|flac)$/,
  m4v: /^(aac|mp3|ac3|eac3|alac)$/,
  mov: /^(aac|mp3|ac3|eac3|alac|pcm_s16le)$/,
  webm: /^(opus|vorbis)$/,
  avi: /^(mp3|ac3|pcm_s16le)$/,
};

/** The first sound track of the input, copied where the output can hold it. */
function soundFor(input: string, output: string): string[] {
  if (isY4m(input)) return [];
  // ffmpeg tells what a file holds, and then complains that it was given nothing to do.
  const { stderr } = spawnSync('ffmpeg', ['-hide_banner', '-i', input], { encoding: 'utf8' });
  const codec = stderr?.match(/Stream #0:.*Audio: (\w+)/)?.[1];
  if (codec === undefined) return [];
  const copied = HOLDS[endingOf(output)]?.test(codec) ?? false;
  return ['-i', input, '-map', '0:v', '-map', '1:a:0', ...(copied ? ['-c:a', 'copy'] : [])];
}

function runFfmpeg(args: string[], way: 'read' | 'write') {
  const child = spawn('ffmpeg', args, {
    stdio: [way === 'write' ? 'pipe' : 'ignore', way === 'read' ? 'pipe' : 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr!.on('data', (text: Buffer) => {
    said = (said + text.toString()).slice(-2000);
  });
  const exit = new Promise<void>((resolve, reject) => {
    child.once('error', (cause: NodeJS.ErrnoException) => {
      const missing =
        'This format needs ffmpeg, which is not on the PATH. Install it, or use y4m, png, jpeg or webp files.';
      reject(cause.code === 'ENOENT' ? new FaceOffError('no_ffmpeg', missing, { cause }) : cause);
    });
    child.once('close', (code) =>
      code === 0 ? resolve() : reject(new FaceOffError('bad_clip', `ffmpeg stopped: ${said.trim() || `code ${code}`}`)),
    );
  });
  exit.catch(() => undefined);
  return { stdin: child.stdin, stdout: child.stdout, finished: () => exit, kill: () => child.kill() };
}

/** A frame header holds at most this much. */
const LONGEST_LINE = 1024;

/** @param finished rejects where the stream ended for a reason. @param close lets the source go before its end. */
export async function readY4m(
  stream: Readable,
  file: string,
  finished: () => Promise<void>,
  close: () => void,
): Promise<Clip> {
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
  const [width, height] = [Number(field('W')), Number(field('H'))];
  const [numerator, denominator] = (field('F') ?? '30:1').split(':').map(Number) as [number, number];
  const colours = field('C') ?? '420jpeg';
  if (!colours.startsWith('420') || /p\d\d/.test(colours) || !(width > 0 && height > 0 && width * height <= 1e8)) {
    throw new FaceOffError(
      'bad_clip',
      `${file} has a picture format that cannot be read (${header.slice(0, 100)}). It must be 8-bit 4:2:0; ffmpeg -pix_fmt yuv420p makes it so.`,
    );
  }
  const bytes = width * height + 2 * Math.ceil(width / 2) * Math.ceil(height / 2);
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

/** A frame that is to be seen for longer than a tick of `fps` is written as often as it takes. */
function sinkInto(
  stream: Writable,
  header: string,
  fps: number,
  finished: () => Promise<void>,
  kill: () => void,
): ClipSink {
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
  const begun = put(header);
  begun.catch(() => undefined);
  return {
    async write({ data, delayMs }) {
      await begun;
      const times = delayMs === undefined ? 1 : Math.round((shownMs(delayMs) * fps) / 1000);
      for (let n = 0; n < times; n++) {
        await put('FRAME\n');
        await put(data);
      }
    },
    async end() {
      await begun;
      stream.end();
      await finished();
      await closed;
      if (failed !== null) throw failed;
    },
    async abort() {
      kill();
      await finished().catch(() => undefined);
    },
  };
}
