/** Writes clips: y4m itself, every other format through ffmpeg. */

import { createWriteStream } from 'node:fs';
import type { Writable } from 'node:stream';
import { FaceOffError, messageOf } from '../shared/errors.ts';
import {
  type Clip,
  type ClipSink,
  type ClipSource,
  endingOf,
  isY4m,
  KEEP_RANGE,
  noFfmpegForClips,
  shownMs,
  successOf,
  unwritable,
} from './clip.ts';
import { type ClipColour, MOST_FPS } from './clip-probe.ts';
import { tracksFor } from './clip-tracks.ts';
import { ffmpegArgument, requireEncoder, startFfmpeg } from './ffmpeg.ts';
import { matroskaBlock, matroskaHeader, PICTURES } from './matroska.ts';
import { addXmpBox, HAS_XMP_BOX } from './provenance/xmp-box.ts';

/** Filter: H.264 in 4:2:0 has even sizes only, so an odd size loses its last row or column. */
const MAKE_EVEN = 'crop=trunc(iw/2)*2:trunc(ih/2)*2';

/** Largest number of a pixel's aspect ratio that is written as it is; ffmpeg's filter rounds to a hundred. */
const MOST_ASPECT = 100_000;

/** How a clip is written. */
export interface SinkOptions {
  /** Whether the coding is lossless, for measuring. */
  lossless: boolean;
  /** A file whose sound, subtitles, chapters and title are written, too. */
  audioFrom: string;
  /** Receives a sentence for each thing that the output cannot hold. */
  onNote?: (note: string) => void;
}

/** Opens a file for writing a clip like `clip`: y4m directly, anything else through ffmpeg. */
export async function openSink(
  file: string,
  clip: Clip,
  { lossless, audioFrom, onNote }: SinkOptions,
): Promise<ClipSink> {
  const { width, height, fullRange, pixelAspect = '1:1', colour } = clip;
  const hasOwnTimes = clip.hasOwnTimes === true || clip.loop !== undefined;
  const isSteady = STEADY.test(endingOf(file));
  const isTimed = hasOwnTimes && !isSteady && !isY4m(file);
  const rate = hasOwnTimes && isSteady ? { numerator: MOST_FPS, denominator: 1 } : clip.rate;
  const range = fullRange ? ' XCOLORRANGE=FULL' : '';
  const header = `YUV4MPEG2 W${width} H${height} F${rate.numerator}:${rate.denominator} Ip A${pixelAspect} C420jpeg${range}\n`;
  if (isY4m(file)) {
    const out = createWriteStream(file);
    return sinkInto(out, header, clip.fps, { finished: async () => undefined, close: () => out.destroy() });
  }
  const fps = rate.numerator / rate.denominator;
  const coding = lossless ? losslessFor(file) : codingFor(file);
  await requireEncoder(coding[1]!, 'this ending').catch((error: unknown) => {
    throw error instanceof FaceOffError && error.code === 'no_ffmpeg' ? noFfmpegForClips() : error;
  });
  const tracks = await tracksFor(audioFrom, file, onNote);
  const pictures = isTimed ? ['-f', 'matroska', '-i', '-'] : ['-f', 'yuv4mpegpipe', '-i', '-'];
  const timing = isTimed
    ? ['-fps_mode', 'vfr', '-enc_time_base:v', `1/${TICKS_PER_SECOND}`]
    : ['-fps_mode', 'passthrough'];
  const filters = [KEEP_RANGE, ...taggingFor(colour, fullRange), ...(coding.includes('libx264') ? [MAKE_EVEN] : [])];
  if (isTimed) filters.push(`setsar=r=${pixelAspect.replace('0:0', '1:1').replace(':', '/')}:max=${MOST_ASPECT}`);
  const ffmpeg = startFfmpeg(
    ['-y', ...pictures, ...tracks, ...timing, ...coding, '-vf', filters.join(','), ffmpegArgument(file)],
    { stdin: 'pipe' },
  );
  const finished = (): Promise<void> => successOf(ffmpeg).catch((error: unknown) => throwOf(error, file));
  const end = { finished, close: () => ffmpeg.kill() };
  const sink = isTimed ? timedSinkInto(ffmpeg.stdin!, clip, end) : sinkInto(ffmpeg.stdin!, header, fps, end);
  return {
    ...sink,
    async end(isSwapped) {
      await sink.end();
      if (isSwapped !== true || !HAS_XMP_BOX.test(file)) return;
      await addXmpBox(file).catch((error: unknown) =>
        onNote?.(`The clip lacks the XMP field that says that a face was swapped: ${messageOf(error)}.`),
      );
    },
  };
}

/** Endings of files whose pictures come at one rate. */
const STEADY = /^avi$/;
/** Endings of files that do not say when a picture is shown that is decoded before an earlier one. */
const IN_ORDER = /^(avi|wmv|asf)$/;
/** What ffmpeg says of a format that it does not know, or that cannot hold the clip. */
const NO_FORMAT =
  /suitable output format|Could not write header|Cannot write more than one file|muxer supports only|Can't initialize/;

/** @throws FaceOffError `bad_output` where a file of that ending cannot be written, and the error itself. */
function throwOf(error: unknown, file: string): never {
  if (!NO_FORMAT.test(messageOf(error))) throw error;
  const ending = endingOf(file);
  throw new FaceOffError(
    'bad_output',
    `A clip cannot be written ${ending === '' ? 'without an ending' : `as .${ending}`}. Use .mp4, .mov, .mkv, .webm, .avi, .gif, .webp or .y4m.`,
    { cause: error },
  );
}

/** Filters that say what the colours are; they change no pixel. */
function taggingFor(colour: ClipColour | undefined, fullRange: boolean): string[] {
  if (colour === undefined) return [];
  const { matrix, primaries, transfer } = colour;
  const fields = Object.entries({ colorspace: matrix, color_primaries: primaries, color_trc: transfer })
    .filter(([, value]) => value !== null)
    .map(([key, value]) => `${key}=${value}`);
  return fields.length === 0 ? [] : [`setparams=${[`range=${fullRange ? 'pc' : 'tv'}`, ...fields].join(':')}`];
}

function codingFor(file: string): string[] {
  if (endingOf(file) === 'webm')
    return ['-c:v', 'libvpx-vp9', '-crf', '24', '-b:v', '0', '-cpu-used', '5', '-row-mt', '1'];
  const order = IN_ORDER.test(endingOf(file)) ? ['-bf', '0'] : [];
  return ['-c:v', 'libx264', '-crf', '18', '-preset', 'veryfast', ...order];
}

function losslessFor(file: string): string[] {
  if (['mkv', 'avi', 'nut'].includes(endingOf(file))) return ['-c:v', 'ffv1'];
  if (endingOf(file) === 'webm') return ['-c:v', 'libvpx-vp9', '-lossless', '1', '-cpu-used', '5', '-row-mt', '1'];
  return ['-c:v', 'libx264', '-qp', '0', '-preset', 'ultrafast'];
}

/** Ticks in a second of the times of frames that have their own: exact to a hundredth of a millisecond. */
const TICKS_PER_SECOND = 100_000;

/** Least frames a second that an encoder plans with. */
const LEAST_FPS = 30;

/** Writes frames with their times into a stream, as Matroska. Those of an animation follow one another. */
function timedSinkInto(stream: Writable, { width, height, fps }: Clip, source: ClipSource): ClipSink {
  // ffmpeg shows the last picture for as long as the header says that pictures are shown.
  const lastMs = 1000 / Math.min(MOST_FPS, Math.max(LEAST_FPS, fps));
  const times = { scaleNs: 1e9 / TICKS_PER_SECOND, frameNs: Math.round(lastMs * 1e6) };
  const writer = writerInto(stream, matroskaHeader(width, height, null, times), source);
  let last = -1;
  let endMs = 0;
  let shown: Uint8Array | null = null;
  async function put(data: Uint8Array, atMs: number): Promise<void> {
    // ffmpeg has times begin with the first picture; where others come before, that is shown in their place.
    last = shown === null ? 0 : Math.max(last + 1, Math.round((atMs * TICKS_PER_SECOND) / 1000));
    shown = data;
    await writer.put(matroskaBlock(PICTURES, last, data.length));
    await writer.put(data);
  }
  return {
    async write({ data, atMs, delayMs = 0 }) {
      const startMs = atMs ?? endMs;
      endMs = startMs + (atMs === undefined ? shownMs(delayMs) : delayMs);
      await put(data, startMs);
    },
    async end() {
      // A picture that is shown for longer is written again, to end in time.
      const againMs = endMs - lastMs;
      if (shown !== null && againMs - (1000 * last) / TICKS_PER_SECOND > lastMs / 2) await put(shown, againMs);
      await writer.ending.end();
    },
    abort: writer.ending.abort,
  };
}

/**
 * Writes a header and then one piece after another into a stream; a broken stream throws what its process ended of.
 * `ending` are the last two methods of a sink.
 */
function writerInto(stream: Writable, header: string | Uint8Array, { finished, close }: ClipSource) {
  let failed: unknown = null;
  let isClosed = false;
  const closed = new Promise<void>((resolve) => stream.once('close', () => resolve()));
  void closed.then(() => {
    isClosed = true;
  });
  stream.on('error', (error) => {
    failed ??= unwritable(error);
  });
  async function write(data: string | Uint8Array): Promise<void> {
    // A stream that its reader closed says so once, which may be before anything is written.
    if (failed !== null || isClosed) await finished();
    if (failed !== null) throw failed;
    if (!stream.write(data)) await Promise.race([new Promise((resolve) => stream.once('drain', resolve)), closed]);
  }
  const started = write(header);
  started.catch(() => undefined);
  return {
    async put(data: string | Uint8Array): Promise<void> {
      await started;
      await write(data);
    },
    ending: {
      async end(): Promise<void> {
        await started;
        stream.end();
        await finished();
        await closed;
        if (failed !== null) throw failed;
      },
      async abort(): Promise<void> {
        close();
        await finished().catch(() => undefined);
      },
    },
  };
}

/** Writes y4m into a stream; a frame that is shown for longer than a tick of `fps` is repeated. */
function sinkInto(stream: Writable, header: string, fps: number, source: ClipSource): ClipSink {
  const writer = writerInto(stream, header, source);
  let ticks = 0;
  /** How many ticks of `fps` a frame is shown for; what is rounded is made up for by the next frames of a video. */
  const timesShown = (delayMs: number | undefined, atMs: number | undefined): number => {
    if (delayMs === undefined) return 1;
    if (atMs === undefined) return Math.round((shownMs(delayMs) * fps) / 1000);
    const shown = Math.max(0, Math.round(((atMs + delayMs) * fps) / 1000) - ticks);
    ticks += shown;
    return shown;
  };
  return {
    async write({ data, delayMs, atMs }) {
      const times = timesShown(delayMs, atMs);
      for (let n = 0; n < times; n++) {
        await writer.put('FRAME\n');
        await writer.put(data);
      }
    },
    ...writer.ending,
  };
}
