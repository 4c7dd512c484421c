/** What is in a video file, as ffmpeg sees it. */

import { spawnSync } from 'node:child_process';
import type { Frame } from '../../src/shared/types.ts';

export interface Video {
  width: number;
  height: number;
  codec: string;
  /** Codec of the sound; null where there is none. */
  sound: string | null;
  comment: string;
  /** Times of its pictures, in milliseconds. */
  timesMs: number[];
}

export function probe(file: string): Video {
  const show = 'stream=codec_name,codec_type,width,height:packet=pts_time,codec_type:format_tags:stream_tags';
  const { stdout } = spawnSync(
    'ffprobe',
    ['-v', 'error', '-of', 'json', '-show_packets', '-show_entries', show, file],
    {
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    },
  );
  const { packets, streams, format } = JSON.parse(stdout) as {
    packets: { pts_time: string; codec_type: string }[];
    streams: { codec_name: string; codec_type: string; width: number; height: number }[];
    format?: { tags?: Record<string, string> };
  };
  const { codec_name: codec, width, height } = streams.find(({ codec_type }) => codec_type === 'video')!;
  const sound = streams.find(({ codec_type }) => codec_type === 'audio')?.codec_name ?? null;
  const pictures = packets.filter(({ codec_type }) => codec_type === 'video');
  const { COMMENT, comment = COMMENT ?? '' } = format?.tags ?? {};
  return { width, height, codec, sound, comment, timesMs: pictures.map(({ pts_time }) => 1000 * Number(pts_time)) };
}

/** Pictures in a file that is still being written; 0 while there is nothing to read. */
export function pictureCount(file: string): number {
  try {
    return probe(file).timesMs.length;
  } catch {
    return 0;
  }
}

/** Brightness of each picture at its time, and loudness of each ten milliseconds, both 0..1. */
export function brightAndLoud(file: string): { bright: [atMs: number, share: number][]; loud: number[] } {
  const decode = (...args: string[]): Buffer =>
    spawnSync('ffmpeg', ['-v', 'error', '-i', file, ...args, '-'], { maxBuffer: 1 << 26 }).stdout;
  const grey = decode(
    ...'-map 0:v -fps_mode passthrough -vf scale=1:1:flags=area -pix_fmt gray -f rawvideo'.split(' '),
  );
  const samples = decode(...'-map 0:a -ac 1 -ar 8000 -f s16le'.split(' '));
  const { timesMs } = probe(file);
  const piece = 80;
  const loud = Array.from({ length: Math.floor(samples.length / (2 * piece)) }, (_, n) => {
    let sum = 0;
    for (let i = n * piece; i < (n + 1) * piece; i++) sum += samples.readInt16LE(2 * i) ** 2;
    return Math.sqrt(sum / piece) / 32768;
  });
  return { bright: timesMs.map((atMs, n) => [atMs, (grey[n] ?? 0) / 255]), loud };
}

/** One decoded picture. */
export function pictureAt(file: string, { width, height }: { width: number; height: number }, atMs: number): Frame {
  const { stdout, stderr } = spawnSync(
    'ffmpeg',
    ['-v', 'error', '-ss', String(atMs / 1000), '-i', file, ...'-frames:v 1 -pix_fmt yuv420p -f rawvideo -'.split(' ')],
    { maxBuffer: 1 << 26 },
  );
  if (stdout.length === 0) throw new Error(`no picture at ${atMs} ms: ${stderr}`);
  return { width, height, data: new Uint8Array(stdout), receivedAtMs: 0 };
}

/** Decodes all of it. @returns what ffmpeg complains of. */
export function complaints(file: string): string {
  return spawnSync(
    'ffmpeg',
    ['-v', 'error', '-i', file, '-fps_mode', 'passthrough', '-enc_time_base', '1/1000', '-f', 'null', '-'],
    {
      encoding: 'utf8',
    },
  ).stderr;
}
