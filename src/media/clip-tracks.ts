/** What a clip holds beside its pictures: which of it goes into another file, and how. */

import { endingOf, isY4m } from './clip.ts';
import { type ClipProbe, probeClip } from './clip-probe.ts';
import { ffmpegArgument } from './ffmpeg.ts';

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
/** Endings of files that hold attached files, such as fonts of subtitles. */
const ATTACHING = /^mkv$/;
/** Endings of files whose pictures have a language, and a timecode. */
const TAGGED = /^(mkv|mp4|m4v|mov)$/;

/**
 * ffmpeg's arguments for everything of a clip but its pictures, copied where the output can hold it.
 * @param onNote receives a sentence for each thing that is left out.
 */
export async function tracksFor(
  input: string,
  output: string,
  onNote: (note: string) => void = () => undefined,
): Promise<string[]> {
  if (isY4m(input)) return [];
  const probe = await probeClip(input);
  const ending = endingOf(output);
  const args = ['-i', ffmpegArgument(input), '-map', '0:v', '-map_metadata', '1', '-map_chapters', '1'];
  if (probe.language !== null && TAGGED.test(ending)) args.push('-metadata:s:v:0', `language=${probe.language}`);
  if (probe.timecode !== null && TAGGED.test(ending)) args.push('-metadata:s:v:0', `timecode=${probe.timecode}`);
  args.push(...soundFor(probe, ending, onNote), ...subtitlesFor(probe, ending, onNote));
  if (probe.attachments > 0 && ATTACHING.test(ending)) args.push('-map', '1:t', '-c:t', 'copy');
  else if (probe.attachments > 0) onNote(`A .${ending} file cannot hold attached files; they are left out.`);
  // It may be of the face as it was.
  if (probe.covers > 0) onNote('The cover picture is left out, as it may show the face that was swapped.');
  if (probe.videos > 1) onNote(`${input} has ${probe.videos} tracks of pictures; the first is written.`);
  if (probe.hasAlpha) onNote(`${input} may be transparent in places, which a .${ending} file is not here.`);
  return args;
}

function soundFor({ sounds }: ClipProbe, ending: string, onNote: (note: string) => void): string[] {
  const kept = ONE_TRACK.test(ending) ? sounds.slice(0, 1) : sounds;
  if (kept.length < sounds.length) onNote(`A .${ending} file holds one sound track; the others are left out.`);
  return kept.flatMap((codec, n) => {
    const coding = HOLDS[ending]?.test(codec) === true ? [`-c:a:${n}`, 'copy'] : [];
    return ['-map', `1:a:${n}`, ...coding];
  });
}

function subtitlesFor({ subtitles }: ClipProbe, ending: string, onNote: (note: string) => void): string[] {
  const format = SUBTITLES[ending];
  const args: string[] = [];
  let written = 0;
  for (const [n, { codec, isDefault, isForced }] of subtitles.entries()) {
    const isHeld =
      format !== undefined && (ending === 'mkv' ? codec !== 'mov_text' || TEXT.test(codec) : TEXT.test(codec));
    if (!isHeld) {
      onNote(`A .${ending} file cannot hold subtitles of the kind ${codec}; they are left out.`);
      continue;
    }
    args.push('-map', `1:s:${n}`, `-c:s:${written}`, format === 'copy' && codec === 'mov_text' ? 'srt' : format);
    // Without it, ffmpeg has the first of them shown without being asked.
    const shown = [...(isDefault ? ['default'] : []), ...(isForced ? ['forced'] : [])].join('+');
    args.push(`-disposition:s:${written++}`, shown === '' ? '0' : shown);
  }
  return args;
}
