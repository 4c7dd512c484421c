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
  colour: ClipColour;
  /** Codecs of the sound tracks, and of the subtitles, in order. */
  sounds: string[];
  subtitles: string[];
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
  const video = streams.find((line) => /: Video: /.test(line) && !/attached pic/.test(line)) ?? '';
  const rate = (unit: string): number | null => {
    const found = new RegExp(`(\\d+(?:\\.\\d+)?)(k?) ${unit}\\b`).exec(video);
    return found === null ? null : Number(found[1]) * (found[2] === 'k' ? 1000 : 1);
  };
  const duration = /Duration: (\d{1,6}):(\d{1,2}):(\d{1,2}(?:\.\d+)?)/.exec(said);
  const kind = (name: string): string[] =>
    streams.flatMap((line) => new RegExp(`: ${name}: (\\w+)`).exec(line)?.[1] ?? []);
  const pixels = /Video: [^,]*, (\w+)/.exec(video)?.[1] ?? '';
  return {
    hasVideo: streams.length === 0 ? null : video !== '',
    isRgb: RGB.test(pixels),
    isInterlaced: /\b(top|bottom) (coded )?first\b/.test(video),
    fps: rate('fps'),
    tickRate: rate('tbr'),
    durationMs:
      duration === null ? null : 1000 * (3600 * Number(duration[1]) + 60 * Number(duration[2]) + Number(duration[3])),
    colour: colourOf(video),
    sounds: kind('Audio'),
    subtitles: kind('Subtitle'),
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
