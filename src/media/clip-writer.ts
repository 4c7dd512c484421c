/** Writes clips: y4m itself, every other format through ffmpeg. */

import { createWriteStream } from 'node:fs';
import type { Writable } from 'node:stream';
import { messageOf } from '../shared/errors.ts';
import { type Clip, type ClipSink, type ClipSource, endingOf, isY4m, KEEP_RANGE, shownMs, successOf } from './clip.ts';
import { type ClipColour, probeClip } from './clip-probe.ts';
import { ffmpegArgument, startFfmpeg } from './ffmpeg.ts';
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
  const { width, height, rate, fullRange, pixelAspect = '1:1', colour, hasOwnTimes: isTimed = false } = clip;
  const range = fullRange ? ' XCOLORRANGE=FULL' : '';
  const header = `YUV4MPEG2 W${width} H${height} F${rate.numerator}:${rate.denominator} Ip A${pixelAspect} C420jpeg${range}\n`;
  if (isY4m(file)) {
    const out = createWriteStream(file);
    return sinkInto(out, header, clip.fps, { finished: async () => undefined, close: () => out.destroy() });
  }
  const coding = lossless ? losslessFor(file) : codingFor(file);
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
  const end = { finished: () => successOf(ffmpeg), close: () => ffmpeg.kill() };
  const sink = isTimed ? timedSinkInto(ffmpeg.stdin!, clip, end) : sinkInto(ffmpeg.stdin!, header, clip.fps, end);
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
  mp4: /^(aac|mp3|ac3|eac3|alac|opus)$/,
  m4v: /^(aac|mp3|ac3|eac3|alac)$/,
  mov: /^(aac|mp3|ac3|eac3|alac|pcm_([su]8|(s16|s24|s32|f32|f64)[lb]e|alaw|mulaw))$/,
  webm: /^(opus|vorbis)$/,
  avi: /^(mp3|ac3|pcm_(u8|(s16|s24|s32|f32|f64)le|alaw|mulaw))$/,
};
/** Subtitles that are text: they can be written in another format. */
const TEXT = /^(subrip|srt|ass|ssa|mov_text|webvtt|text)$/;
/** How a file of each ending holds subtitles of text. */
const SUBTITLES: Record<string, string> = {
  mkv: 'copy',
  mp4: 'mov_text',
  m4v: 'mov_text',
  mov: 'mov_text',
  webm: 'webvtt',
};
/** Endings of files that hold one track of sound. */
const ONE_TRACK = /^(avi)$/;

/** ffmpeg's arguments for everything of the input but its pictures, copied where the output can hold it. */
async function tracksFor(
  input: string,
  output: string,
  onNote: (note: string) => void = () => undefined,
): Promise<string[]> {
  if (isY4m(input)) return [];
  const { sounds, subtitles } = await probeClip(input);
  const ending = endingOf(output);
  const kept = ONE_TRACK.test(ending) ? sounds.slice(0, 1) : sounds;
  if (kept.length < sounds.length) onNote(`A .${ending} file holds one sound track; the others are left out.`);
  const args = ['-i', ffmpegArgument(input), '-map', '0:v', '-map_metadata', '1', '-map_chapters', '1'];
  for (const [n, codec] of kept.entries()) {
    args.push('-map', `1:a:${n}`);
    if (HOLDS[ending]?.test(codec)) args.push(`-c:a:${n}`, 'copy');
  }
  const format = SUBTITLES[ending];
  let written = 0;
  for (const [n, codec] of subtitles.entries()) {
    const isHeld =
      format !== undefined && (ending === 'mkv' ? codec !== 'mov_text' || TEXT.test(codec) : TEXT.test(codec));
    if (!isHeld) {
      onNote(`A .${ending} file cannot hold subtitles of the kind ${codec}; they are left out.`);
      continue;
    }
    args.push('-map', `1:s:${n}`, `-c:s:${written++}`, format === 'copy' && codec === 'mov_text' ? 'srt' : format);
  }
  return args;
}

/** Ticks in a second of the times of frames that have their own: exact to a hundredth of a millisecond. */
const TICKS_PER_SECOND = 100_000;

/** Writes frames with their times into a stream, as Matroska. */
function timedSinkInto(stream: Writable, { width, height }: Clip, source: ClipSource): ClipSink {
  const writer = writerInto(stream, matroskaHeader(width, height, null, 1e9 / TICKS_PER_SECOND), source);
  let last = -1;
  return {
    async write({ data, atMs = 0 }) {
      last = Math.max(last + 1, Math.round((atMs * TICKS_PER_SECOND) / 1000));
      await writer.put(matroskaBlock(PICTURES, last, data.length));
      await writer.put(data);
    },
    ...writer.ending,
  };
}

/**
 * Writes a header and then one piece after another into a stream; a broken stream throws what its process ended of.
 * `ending` are the last two methods of a sink.
 */
function writerInto(stream: Writable, header: string | Uint8Array, { finished, close }: ClipSource) {
  let failed: unknown = null;
  const closed = new Promise<void>((resolve) => stream.once('close', () => resolve()));
  stream.on('error', (error) => {
    failed ??= error;
  });
  async function write(data: string | Uint8Array): Promise<void> {
    if (failed !== null) await finished();
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
