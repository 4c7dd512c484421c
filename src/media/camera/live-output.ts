/** The outputs of `faceoff camera` that are addresses of other programs and services: what ffmpeg is given, and what it has to have. */

import { FaceOffError } from '../../shared/errors.ts';
import { noFfmpeg, requireEncoder, runFfmpeg } from '../ffmpeg.ts';

interface LiveFormat {
  /** Entries that ffmpeg's lists have to hold. */
  protocol: string | null;
  muxer: string;
  /** Whether pictures are encoded as H.264, with sound as AAC; as they are otherwise. */
  isEncoded: boolean;
  /** What people may install where ffmpeg lacks it. */
  remedy: string;
}

const COMMON = 'Install a whole ffmpeg, as distributions have it, or send by WHIP (whip+https://…), which needs none.';
const FORMATS: Readonly<Record<string, LiveFormat>> = {
  'srt:': { protocol: 'srt', muxer: 'mpegts', isEncoded: true, remedy: COMMON },
  'rtmp:': { protocol: 'rtmp', muxer: 'flv', isEncoded: true, remedy: COMMON },
  'rtmps:': { protocol: 'rtmps', muxer: 'flv', isEncoded: true, remedy: COMMON },
  'ndi:': {
    protocol: null,
    muxer: 'libndi_newtek',
    isEncoded: false,
    remedy: 'NDI is in no ffmpeg that may be given on: build one with NDI, or let OBS with DistroAV make NDI of /view.',
  },
};

/** Bit rate of pictures at rest and in motion: 2 Mbit/s for 640x480, 5.1 for 1280x720, 11.4 for 1920x1080. */
const kbpsOf = (width: number, height: number): number => Math.round(Math.max(600, 0.0055 * width * height + 300));
const SOUND = ['-c:a', 'aac', '-b:a', '128k', '-ar', '48000', '-ac', '2'];
/** Fills gaps with silence; pictures wait at most 500000 µs for sound that is missing. */
const LIVE_SOUND = ['-af', 'aresample=async=1:first_pts=0', '-max_interleave_delta', '500000'];

const formatOf = (name: string): LiveFormat | null =>
  FORMATS[/^[a-z]+:(?=\/\/)/i.exec(name)?.[0].toLowerCase() ?? ''] ?? null;

/** Whether an output is a stream to another program or service. */
export const isLiveAddress = (name: string): boolean => formatOf(name) !== null;

/** The name of an input or output without passwords and the key of the stream: `rtmp://live.example.com`. */
export function shownName(name: string): string {
  const [scheme] = /^[a-z+]+:\/\//i.exec(name) ?? [];
  if (scheme === undefined || scheme.toLowerCase() === 'file://') return name;
  // ffmpeg reads what is no URL elsewhere, like udp://@:5000.
  if (!URL.canParse(name)) return `${scheme}${/([^@/?#]*)([/?#]|$)/.exec(name.slice(scheme.length))?.[1] ?? ''}`;
  const { protocol, host } = new URL(name);
  return `${protocol}//${host}`;
}

/** Checks that the installed ffmpeg can write to an address. @throws FaceOffError `bad_arguments`, `no_ffmpeg`, `no_encoder`, `ffmpeg_lacks`. */
export async function checkLiveAddress(name: string): Promise<void> {
  const format = formatOf(name);
  if (format === null) return;
  if (!URL.canParse(name)) throw new FaceOffError('bad_arguments', `${name} is no address.`);
  const lacks = async (list: 'protocols' | 'muxers', entry: string | null): Promise<boolean> => {
    if (entry === null) return false;
    const { output, isMissing } = await runFfmpeg([`-${list}`]);
    if (isMissing) throw noFfmpeg('An output');
    const own = list === 'protocols' ? output.slice(output.indexOf('Output:')) : output;
    return !own.split(/\s+/).includes(entry);
  };
  for (const [list, entry] of [
    ['protocols', format.protocol],
    ['muxers', format.muxer],
  ] as const)
    if (await lacks(list, entry))
      throw new FaceOffError(
        'ffmpeg_lacks',
        `This ffmpeg has no ${entry} (ffmpeg -${list}), which ${shownName(name)} needs. ${format.remedy}`,
      );
  if (format.isEncoded) await requireEncoder('libx264', `the output ${shownName(name)}`);
}

/**
 * ffmpeg's arguments for an address, after those that fit the picture.
 * @param hasSound whether the input has sound; services refuse streams without, so that silence is sent instead.
 */
export function liveArguments(name: string, size: string, fps: number, hasSound: boolean): string[] {
  const format = formatOf(name);
  if (format === null) throw new Error(`${name} is no stream`);
  const [width = 0, height = 0] = size.split('x').map(Number);
  if (!format.isEncoded) return ['-pix_fmt', 'uyvy422', '-f', format.muxer, new URL(name).host];
  const kbps = `${kbpsOf(width, height)}k`;
  return [
    ...(hasSound ? ['-map', '0:v', '-map', '0:a', ...LIVE_SOUND] : ['-map', '0:v', '-map', '1:a', '-shortest']),
    ...['-c:v', 'libx264', '-preset', 'veryfast', '-tune', 'zerolatency', '-g', String(2 * fps)],
    ...['-b:v', kbps, '-maxrate', kbps, '-bufsize', kbps],
    ...SOUND,
    ...['-flush_packets', '1', '-f', format.muxer, name],
  ];
}

/** The input of silence that `liveArguments` maps where there is no sound. */
export const SILENCE = ['-f', 'lavfi', '-i', 'anullsrc=channel_layout=stereo:sample_rate=48000'];
