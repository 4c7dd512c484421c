/** What is in a video file, as ffmpeg sees it. */

import { spawnSync } from 'node:child_process';
import type { Frame } from '../../src/pipeline/types.ts';

export interface Video {
  width: number;
  height: number;
  codec: string;
  comment: string;
  /** Times of its pictures, in milliseconds. */
  timesMs: number[];
}

export function probe(file: string): Video {
  const show = 'stream=codec_name,width,height:packet=pts_time:format_tags:stream_tags';
  const { stdout } = spawnSync(
    'ffprobe',
    ['-v', 'error', '-of', 'json', '-show_packets', '-show_entries', show, file],
    {
      ...{ encoding: 'utf8', maxBuffer: 1 << 26 },
    },
  );
  const { packets, streams, format } = JSON.parse(stdout) as {
    packets: { pts_time: string }[];
    streams: { codec_name: string; width: number; height: number }[];
    format?: { tags?: Record<string, string> };
  };
  const { codec_name: codec, width, height } = streams[0]!;
  const { COMMENT, comment = COMMENT ?? '' } = format?.tags ?? {};
  return { width, height, codec, comment, timesMs: packets.map(({ pts_time }) => 1000 * Number(pts_time)) };
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
