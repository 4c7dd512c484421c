/** What ffmpeg says about a file, before it is read. */

import { describeStreams, ffmpegArgument } from './ffmpeg.ts';

/** Colour as ffmpeg names it; null where the file does not say. */
export interface ClipColour {
  range: string | null;
  matrix: string | null;
  primaries: string | null;
  transfer: string | null;
}

/** What a file holds. */
export interface ClipProbe {
  /** Whether it holds moving pictures; null where ffmpeg cannot say. */
  hasVideo: boolean | null;
  /** Whether its pictures are RGB, and whether they are two fields that were taken one after the other. */
  isRgb: boolean;
  isInterlaced: boolean;
  /** Frames a second on average, and the rate at which all of its times can be counted; null where ffmpeg cannot say. */
  fps: number | null;
  tickRate: number | null;
  durationMs: number | null;
  /** When the first of its tracks begins. */
  startMs: number;
  colour: ClipColour;
  /** Whether its pictures may be transparent. */
  hasAlpha: boolean;
  /** Codecs of the sound tracks, in order. */
  sounds: string[];
  subtitles: Subtitles[];
  /** Language of its pictures, and their timecode; null where they have none. */
  language: string | null;
  timecode: string | null;
  /** Number of tracks of moving pictures, of cover pictures, of attached files. */
  videos: number;
  covers: number;
  attachments: number;
}

/** A track of subtitles. */
export interface Subtitles {
  codec: string;
  /** Whether players show it without being asked, and whether it is of what others say. */
  isDefault: boolean;
  isForced: boolean;
}

/** The times of a clip are its own where its average rate is not the rate at which they are counted. */
const SAME_RATE = 0.005;
/** Most frames a second that are written. */
export const MOST_FPS = 60;

/** Reads what a file holds; everything is null or empty where ffmpeg is missing or cannot read it. */
export async function probeClip(file: string): Promise<ClipProbe> {
  return parseStreams(await describeStreams(ffmpegArgument(file)));
}

/** Parses what ffmpeg prints about the streams of its input. */
export function parseStreams(said: string): ClipProbe {
  const streams = said.split('\n').filter((line) => /^\s*Stream #0/.test(line));
  const videos = streams.filter((line) => /: Video: /.test(line) && !COVER.test(line));
  const video = videos[0] ?? '';
  const rate = (unit: string): number | null => {
    const found = new RegExp(`(\\d+(?:\\.\\d+)?)(k?) ${unit}\\b`).exec(video);
    return found === null ? null : Number(found[1]) * (found[2] === 'k' ? 1000 : 1);
  };
  const duration = /Duration: (\d{1,6}):(\d{1,2}):(\d{1,2}(?:\.\d+)?)/.exec(said);
  const start = /Duration: [^\n]*, start: (-?\d{1,6}(?:\.\d+)?)/.exec(said);
  const kind = (name: string): [line: string, codec: string][] =>
    streams.flatMap((line) => {
      const codec = new RegExp(`: ${name}: (\\w+)`).exec(line)?.[1];
      return codec === undefined ? [] : [[line, codec] as [string, string]];
    });
  const pixels = /Video: [^,]*, (\w+)/.exec(video)?.[1] ?? '';
  return {
    hasVideo: streams.length === 0 ? null : video !== '',
    isRgb: RGB.test(pixels),
    isInterlaced: /\b(top|bottom) (coded )?first\b/.test(video),
    fps: rate('fps'),
    tickRate: rate('tbr'),
    durationMs:
      duration === null ? null : 1000 * (3600 * Number(duration[1]) + 60 * Number(duration[2]) + Number(duration[3])),
    startMs: 1000 * Number(start?.[1] ?? 0),
    colour: colourOf(video),
    hasAlpha: (ALPHA.test(pixels) && !/Video: gif\b/.test(video)) || /^\s*alpha_mode\s*: 1\s*$/m.test(said),
    sounds: kind('Audio').map(([, codec]) => codec),
    subtitles: kind('Subtitle').map(([line, codec]) => ({
      codec,
      isDefault: line.includes('(default)'),
      isForced: line.includes('(forced)'),
    })),
    language: /^\s*Stream #0:\d+(?:\[\w+\])?\((\w{3})\)/.exec(video)?.[1] ?? null,
    timecode: /^\s*timecode\s*: (\d\d(?:[:;.]\d\d){3})\s*$/m.exec(said)?.[1] ?? null,
    videos: videos.length,
    covers: streams.filter((line) => COVER.test(line)).length,
    attachments: streams.filter((line) => /: Attachment: /.test(line)).length,
  };
}

/** ffmpeg prints `yuv420p(tv, bt709/bt470bg/smpte170m, progressive)`; one name stands for all three. */
function colourOf(video: string): ClipColour {
  const inside = /Video: .*?, \w+\(([^)]*)\)/.exec(video)?.[1]?.split(', ') ?? [];
  const range = inside.find((word) => word === 'tv' || word === 'pc') ?? null;
  const names = inside.find((word) => /^[\w-]+(\/[\w-]+){0,2}$/.test(word) && !NO_COLOUR.test(word)) ?? null;
  const known = (name: string | undefined): string | null => (name === undefined || name === 'unknown' ? null : name);
  const [matrix, primaries = matrix, transfer = matrix] = names?.split('/') ?? [];
  return {
    range,
    matrix: known(matrix),
    primaries: known(primaries ?? undefined),
    transfer: known(transfer ?? undefined),
  };
}

/** Pixel formats without luma, by ffmpeg's names. */
const RGB = /^(?:x2)?(?:0?rgb|0?bgr|gbr|argb|abgr|pal8)/;
/** Those of pictures that may be transparent; a GIF's says nothing. */
const ALPHA = /^(?:yuva|gbrap|argb|abgr|rgba|bgra|ya8|ya16)/;
/** What stands at a picture that is none of the clip's. */
const COVER = /\(attached pic\)/;
/** Words in those brackets that are no colours. */
const NO_COLOUR = /^(tv|pc|progressive|top|bottom|left|center|topleft)$/;

/** Whether the light of a clip is coded for displays of high dynamic range. */
export const isHighDynamicRange = ({ transfer }: ClipColour): boolean =>
  transfer === 'smpte2084' || transfer === 'arib-std-b67';

/**
 * Whether the frames of a clip have times of their own, or more of them a second than are written. A browser's
 * recording says no average rate.
 */
export function hasOwnTimes({ fps, tickRate }: ClipProbe): boolean {
  if (tickRate === null) return false;
  if (fps === null || tickRate > MOST_FPS * (1 + SAME_RATE)) return true;
  return Math.abs(fps - tickRate) > SAME_RATE * tickRate;
}
