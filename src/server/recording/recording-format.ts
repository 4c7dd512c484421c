/**
 * How recordings are written. Both containers are begun so that they can be played while they are written: a second of
 * pictures at a time is put on disk whole, and what a crash leaves ends with the last of these.
 */

import type { RecordingFormat } from '../../shared/recording-formats.ts';

export { RECORDING_FORMATS, type RecordingFormat } from '../../shared/recording-formats.ts';

/** What every file says of itself. */
export const DISCLOSURE = 'AI-modified: face swapped by FaceOff';

interface Format {
  /** ffmpeg's name of the encoder it needs. */
  encoder: string;
  /** What stands before each second of pictures; a file without it shows nothing. */
  mark: Buffer;
  /** ffmpeg's arguments from the codec on, but for the file. */
  output(width: number, height: number): string[];
  /** The same where there is sound. */
  sound: { encoder: string; output: readonly string[] };
}

const PART_S = 1;
/** Pictures between two that stand alone, at 30 a second: what a player skips at most. */
const KEYS = '60';

const common = [
  // Pictures keep the time at which they came, to the millisecond.
  ...['-fps_mode', 'vfr', '-enc_time_base:v', '1/1000'],
  ...['-color_range', 'tv', '-colorspace', 'smpte170m', '-color_primaries', 'smpte170m', '-color_trc', 'smpte170m'],
  ...['-g', KEYS, '-metadata', `comment=${DISCLOSURE}`, '-flush_packets', '1'],
];

/** Gaps are silent, the beginning too; and pictures wait on disk no longer than this for sound that does not come, in microseconds. */
const heard = ['-af', 'aresample=async=1:first_pts=0', '-max_interleave_delta', '500000'];

export const FORMATS: Readonly<Record<RecordingFormat, Format>> = {
  webm: {
    encoder: 'libvpx',
    // The id of a Cluster (RFC 9559, 5.1.3).
    mark: Buffer.from([0x1f, 0x43, 0xb6, 0x75]),
    output: (width, height) => [
      ...common,
      ...['-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '16', '-b:v', `${kbpsOf(width, height)}k`],
      ...['-cluster_time_limit', String(1000 * PART_S), '-f', 'webm'],
    ],
    sound: { encoder: 'libopus', output: [...heard, '-c:a', 'libopus', '-b:a', '96k'] },
  },
  mp4: {
    encoder: 'libx264',
    mark: Buffer.from('moof'),
    output: () => [
      ...common,
      // No picture is told by a later one: times would begin below 0, which a file that is begun at once cannot hold beside sound.
      ...['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '21', '-bf', '0', '-pix_fmt', 'yuv420p'],
      // The codec has no odd sizes.
      ...['-vf', 'crop=trunc(iw/2)*2:trunc(ih/2)*2:0:0'],
      ...['-movflags', '+frag_keyframe+empty_moov+default_base_moof', '-frag_duration', String(1e6 * PART_S)],
      ...['-f', 'mp4'],
    ],
    sound: { encoder: 'aac', output: [...heard, '-c:a', 'aac', '-b:a', '128k'] },
  },
};

/** What a face at rest needs: 1.4 Mbit/s for 640x480, 4.1 for 1280x720. */
const kbpsOf = (width: number, height: number): number => Math.max(500, Math.round(0.0045 * width * height));
