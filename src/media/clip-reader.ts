/** Reads clips: y4m itself, every other format through ffmpeg. */

import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { FaceOffError, messageOf } from '../shared/errors.ts';
import { planesOf } from '../shared/i420.ts';
import { type Clip, type ClipFrame, type ClipSource, isY4m, KEEP_RANGE, successOf } from './clip.ts';
import { type ClipColour, type ClipProbe, hasOwnTimes, isHighDynamicRange, MOST_FPS, probeClip } from './clip-probe.ts';
import { type Ffmpeg, ffmpegArgument, runFfmpeg, startFfmpeg } from './ffmpeg.ts';

/** Filter: the colours of pictures of RGB here. */
const TO_BT601 = 'scale=out_color_matrix=bt601:out_range=tv,format=yuv420p';
/**
 * Filters: light coded for displays of high dynamic range (BT.2100) on those of BT.709. White of 203 cd/m² (BT.2408) is
 * nearly white, what is darker keeps its brightness, what is brighter is compressed.
 */
const TONE_MAP = [
  'zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709',
  'tonemap=mobius:desat=0,zscale=t=bt709:m=bt709:r=tv,format=yuv420p',
].join(',');
/** Filter: RGB as video of BT.709, which is what players take it for. */
const RGB_TO_BT709 = 'scale=out_color_matrix=bt709:out_range=tv,format=yuv420p';
/** Filter: one whole picture of two fields, where a picture says that it is interlaced. */
const DEINTERLACE = 'bwdif=mode=send_frame:deint=interlaced';
const BT709: ClipColour = { range: 'tv', matrix: 'bt709', primaries: 'bt709', transfer: 'bt709' };

/** What the frames of a clip are read for. */
export interface ReadOptions {
  /** Whether they become pictures of RGB: colours are then those of BT.601 in limited range, as pictures here have. */
  asPictures?: boolean;
}

/**
 * Opens a clip for reading: y4m directly, anything else through ffmpeg, which turns it upright and to I420. Frames that
 * come at uneven times, as a phone films and as a browser records, keep them.
 * @throws FaceOffError `bad_clip`, `no_ffmpeg`.
 */
export async function openClip(file: string, { asPictures = false }: ReadOptions = {}): Promise<Clip> {
  if (isY4m(file)) {
    const stream = createReadStream(file, { highWaterMark: 1 << 20 });
    const clip = await readY4m(stream, file, { finished: async () => undefined, close: () => stream.destroy() });
    return asPictures && clip.fullRange ? inLimitedRange(clip) : clip;
  }
  const probe = await probeClip(file);
  if (probe.hasVideo === false) throw new FaceOffError('bad_clip', `${file} has no moving pictures in it.`);
  const isToned = isHighDynamicRange(probe.colour) && (await hasFilter('zscale'));
  const isConverted = probe.isRgb && !isToned;
  const colour = isToned ? BT709 : isConverted ? { ...probe.colour, range: 'tv', matrix: 'bt709' } : probe.colour;
  const kept = isConverted ? RGB_TO_BT709 : KEEP_RANGE;
  const filters = [
    ...(probe.isInterlaced ? [DEINTERLACE] : []),
    ...(isToned ? [TONE_MAP] : []),
    asPictures ? TO_BT601 : kept,
  ].join(',');
  const input = ['-i', ffmpegArgument(file)];
  const y4m = ['-strict', '-1', '-f', 'yuv4mpegpipe', 'pipe:1'];
  if (!hasOwnTimes(probe)) {
    const ffmpeg = startFfmpeg([...input, '-map', '0:V:0', '-fps_mode', 'cfr', '-vf', filters, ...y4m], {
      stdout: 'pipe',
    });
    const end = { finished: () => readToEnd(ffmpeg, file), close: () => ffmpeg.kill() };
    const clip = await readY4m(ffmpeg.stdout!, file, end);
    return { ...clip, colour, frames: expectedFrames(probe, clip.fps) };
  }
  // One output has the pictures, the other their times, of a corner each.
  const graph = `[0:V:0]${filters},split[pictures][times];[times]crop=2:2:0:0[corner]`;
  const timed = [
    '-map',
    '[corner]',
    '-fps_mode',
    'passthrough',
    // Else times are rounded to the average rate, which throws pictures of an uneven clip together.
    '-enc_time_base:v',
    `1/${TICKS_PER_SECOND}`,
    '-c:v',
    'rawvideo',
    '-flush_packets',
    '1',
    '-f',
    'framecrc',
    'pipe:3',
  ];
  const ffmpeg = startFfmpeg(
    [...input, '-filter_complex', graph, ...timed, '-map', '[pictures]', '-fps_mode', 'passthrough', ...y4m],
    { stdout: 'pipe', times: true },
  );
  const end = { finished: () => readToEnd(ffmpeg, file), close: () => ffmpeg.kill() };
  const clip = await readY4m(ffmpeg.stdout!, file, end);
  return withOwnTimes({ ...clip, colour, frames: expectedFrames(probe, probe.fps) }, ffmpeg.times!, probe);
}

/** @throws FaceOffError `bad_clip`, `no_ffmpeg`. */
const readToEnd = (ffmpeg: Ffmpeg, file: string): Promise<void> =>
  successOf(ffmpeg).catch((error: unknown) => {
    if (!messageOf(error).includes('Invalid data found')) throw error;
    throw new FaceOffError('bad_clip', `${file} cannot be read: it is empty, cut off, or not a video.`, {
      cause: error,
    });
  });

/** How many frames a file will have, by its duration; null where it does not say. */
const expectedFrames = ({ durationMs }: ClipProbe, fps: number | null): number | null =>
  durationMs === null || fps === null ? null : Math.round((durationMs * Math.min(fps, MOST_FPS)) / 1000);

/** When the last picture ends, where nothing else is in the file to last as long; ffmpeg tells no picture's own duration. */
const endOfPictures = ({ durationMs, startMs, sounds }: ClipProbe): number | null =>
  sounds.length > 0 || Math.abs(startMs) > PERIOD_MS ? null : durationMs;

async function hasFilter(name: string): Promise<boolean> {
  return (await runFfmpeg(['-filters'])).output.includes(` ${name} `);
}

/** What times of frames are printed in: MPEG's clock, which the time bases of most files divide. */
const TICKS_PER_SECOND = 90_000;

/** Least time between frames on the whole, and the share of it by which one may come early. */
const PERIOD_MS = 1000 / MOST_FPS;
const JITTER = 0.4;

async function* framesOf(clip: Clip): AsyncGenerator<ClipFrame, void> {
  yield* clip;
}

/** Gives the frames of a clip the times that ffmpeg printed, at most MOST_FPS a second. */
function withOwnTimes(clip: Clip, printed: Readable, probe: ClipProbe): Clip {
  async function* frames(): AsyncGenerator<ClipFrame> {
    const times = readAhead(frameTimes(printed));
    let held: (ClipFrame & { atMs: number }) | null = null;
    let endMs = 0;
    let dueMs: number | null = null;
    for await (const { data } of readAhead(framesOf(clip))) {
      const { value } = await times.next();
      const { atMs, durationMs } = value ?? { atMs: endMs, durationMs: 0 };
      endMs = atMs + durationMs;
      // One that comes too soon after those before it is left out; its time is the last one's.
      if (dueMs !== null && atMs < dueMs - JITTER * PERIOD_MS) continue;
      dueMs = Math.max(dueMs ?? atMs, atMs - JITTER * PERIOD_MS) + PERIOD_MS;
      if (held !== null) yield { ...held, delayMs: atMs - held.atMs };
      held = { data, atMs };
    }
    if (held === null) return;
    yield { ...held, delayMs: Math.max(PERIOD_MS, (endOfPictures(probe) ?? endMs) - held.atMs) };
  }
  const rate = Math.min(MOST_FPS, probe.fps ?? 30);
  return {
    ...clip,
    hasOwnTimes: true,
    fps: rate,
    rate: { numerator: Math.round(1000 * rate), denominator: 1000 },
    [Symbol.asyncIterator]: frames,
  };
}

/** How many items are read before they are wanted: a process writes frames and times a few items apart. */
const AHEAD = 32;

/**
 * Reads a generator ahead of what is wanted of it. A process that writes to two pipes waits for both of its readers, so
 * neither may wait for the other.
 */
async function* readAhead<T>(items: AsyncGenerator<T, void>): AsyncGenerator<T, void> {
  // A generator answers calls in their order, however many are made at once.
  const ask = (): Promise<IteratorResult<T, void>> => {
    const next = items.next();
    next.catch(() => undefined);
    return next;
  };
  const asked = Array.from({ length: AHEAD }, ask);
  for (let next = await asked.shift()!; !next.done; next = await asked.shift()!) {
    asked.push(ask());
    yield next.value;
  }
}

/** The times of frames that ffmpeg's framecrc prints: `stream, dts, pts, duration, size, sum` after `#tb 0: 1/90000`. */
async function* frameTimes(printed: Readable): AsyncGenerator<{ atMs: number; durationMs: number }, void> {
  let tickMs = 1;
  let rest = '';
  for await (const chunk of printed) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      const base = /^#tb \d+: (\d+)\/(\d+)/.exec(line);
      if (base !== null) tickMs = (1000 * Number(base[1])) / Number(base[2]);
      if (line.startsWith('#')) continue;
      const [, , pts, duration] = line.split(',').map(Number);
      yield { atMs: pts! * tickMs, durationMs: duration! * tickMs };
    }
  }
}

/** A clip of full range in limited range. */
function inLimitedRange(clip: Clip): Clip {
  const pixels = clip.width * clip.height;
  async function* frames(): AsyncGenerator<ClipFrame> {
    for await (const { data, ...own } of clip) {
      for (let p = 0; p < data.length; p++)
        data[p] = Math.round(p < pixels ? 16 + (data[p]! * 219) / 255 : 128 + ((data[p]! - 128) * 224) / 255);
      yield { data, ...own };
    }
  }
  return { ...clip, fullRange: false, [Symbol.asyncIterator]: frames };
}

const isSide = (pixels: number): boolean => Number.isSafeInteger(pixels) && pixels > 0;

/** Two whole numbers, of the size that ffmpeg has for them. */
const RATIO = /^\d{1,9}:\d{1,9}$/;

/** The frames a second of a header; 30 where it says none, or what cannot be. */
function rateOf(field: string): Clip['rate'] {
  const [numerator, denominator] = (RATIO.test(field) ? field : '0:0').split(':').map(Number) as [number, number];
  return numerator > 0 && denominator > 0 ? { numerator, denominator } : { numerator: 30, denominator: 1 };
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
  const rate = rateOf(field('F') ?? '');
  const colours = field('C') ?? '420jpeg';
  if (
    !colours.startsWith('420') ||
    /p\d\d/.test(colours) ||
    !(isSide(width) && isSide(height) && width * height <= 1e8)
  ) {
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
  return {
    width,
    height,
    fps: rate.numerator / rate.denominator,
    rate,
    fullRange: header.includes('XCOLORRANGE=FULL'),
    pixelAspect: RATIO.test(field('A') ?? '') ? field('A')! : '0:0',
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
