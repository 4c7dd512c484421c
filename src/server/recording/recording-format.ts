/**
 * How ffmpeg writes recordings. Both containers can be played while they are being written: ffmpeg writes one second of
 * pictures at a time as a whole, and a file that a crash leaves ends with the last whole second.
 */

import { DISCLOSURE } from '../../media/provenance/xmp.ts';
import type { RecordingFormat } from '../../shared/recording-formats.ts';

interface Format {
  /** ffmpeg's name of the video encoder. */
  encoder: string;
  /** Bytes that begin each second of pictures; a file without them shows nothing. */
  mark: Buffer;
  /** ffmpeg's output arguments, without the file. */
  output(width: number, height: number): string[];
  /** The sound encoder and its additional output arguments. */
  sound: { encoder: string; output: readonly string[] };
}

const PART_S = 1;
/** Frames between two key frames: two seconds at 30 frames per second, which is the most that a player skips. */
const KEYS = '60';

const common = [
  // Frames keep the time at which they arrived, to the millisecond.
  ...['-fps_mode', 'vfr', '-enc_time_base:v', '1/1000'],
  ...['-color_range', 'tv', '-colorspace', 'smpte170m', '-color_primaries', 'smpte170m', '-color_trc', 'smpte170m'],
  ...['-g', KEYS, '-metadata', `comment=${DISCLOSURE}`, '-flush_packets', '1'],
];

/** Fills gaps and the beginning with silence. Frames wait at most 500000 µs in the muxer for sound that is missing. */
const soundArguments = ['-af', 'aresample=async=1:first_pts=0', '-max_interleave_delta', '500000'];

/** ffmpeg's arguments and the file marks of each format. */
export const FORMATS: Readonly<Record<RecordingFormat, Format>> = {
  webm: {
    encoder: 'libvpx',
    // The id of a Matroska Cluster (RFC 9559, 5.1.3).
    mark: Buffer.from([0x1f, 0x43, 0xb6, 0x75]),
    output: (width, height) => [
      ...common,
      ...['-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '16', '-b:v', `${kbpsOf(width, height)}k`],
      ...['-cluster_time_limit', String(1000 * PART_S), '-f', 'webm'],
    ],
    sound: { encoder: 'libopus', output: [...soundArguments, '-c:a', 'libopus', '-b:a', '96k'] },
  },
  mp4: {
    encoder: 'libx264',
    mark: Buffer.from('moof'),
    output: () => [
      ...common,
      // No B-frames: their times would begin below 0, which a fragmented file with sound cannot hold.
      ...['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '21', '-bf', '0', '-pix_fmt', 'yuv420p'],
      // The codec supports no odd sizes.
      ...['-vf', 'crop=trunc(iw/2)*2:trunc(ih/2)*2:0:0'],
      ...['-movflags', '+frag_keyframe+empty_moov+default_base_moof', '-frag_duration', String(1e6 * PART_S)],
      ...['-f', 'mp4'],
    ],
    sound: { encoder: 'aac', output: [...soundArguments, '-c:a', 'aac', '-b:a', '128k'] },
  },
};

/** Bit rate for a face at rest: 1.4 Mbit/s for 640x480, 4.1 Mbit/s for 1280x720. */
const kbpsOf = (width: number, height: number): number => Math.max(500, Math.round(0.0045 * width * height));
