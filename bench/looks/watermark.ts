/**
 * How well the invisible mark is found: clips are marked as a lane marks them, encoded, scaled and cut, and searched as
 * `faceoff detect` searches files. Clips and pictures without the mark tell the false alarms.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { detectIn } from '../../src/commands/detect/detect-in-file.ts';
import { compiledKernels } from '../../src/pipeline/kernels/compiled-kernels.ts';
import { StreamWatermark } from '../../src/pipeline/kernels/stream-watermark.ts';
import { planesOf } from '../../src/shared/i420.ts';
import { messageLayout } from '../../src/watermark/chips.ts';
import { layoutWords } from '../../src/watermark/mark-key.ts';
import { CLIPS, HEIGHT as COMPOSED_HEIGHT, WIDTH as COMPOSED_WIDTH, compose } from './compose.ts';

const SIZE = { width: 1280, height: 720 };
const FPS = 30;
const LAYOUT = messageLayout(layoutWords('bench'));
const WORD = 0x5eed1234;

const vp8 = (rate: string): string[] =>
  `-c:v libvpx -deadline realtime -cpu-used 8 -b:v ${rate} -maxrate ${rate} -bufsize ${rate} -g 300`.split(' ');
const x264 = (quality: number): string[] => `-c:v libx264 -preset veryfast -crf ${quality} -pix_fmt yuv420p`.split(' ');

/** What is done to a marked clip: the file's name, and ffmpeg's options. */
const DAMAGES: readonly { name: string; file: string; options: string[] }[] = [
  { name: 'VP8, 1 Mbit/s', file: 'one.webm', options: vp8('1M') },
  { name: 'VP8, 500 kbit/s', file: 'half-rate.webm', options: vp8('500k') },
  { name: 'H.264, CRF 28', file: 'crf28.mp4', options: x264(28) },
  { name: 'half the size, H.264 CRF 23', file: 'small.mp4', options: ['-vf', 'scale=iw/2:ih/2', ...x264(23)] },
  {
    name: 'a tenth cut off, H.264 CRF 23',
    file: 'cut.mp4',
    options: ['-vf', 'crop=1152:648:88:28', ...x264(23)],
  },
];
/** What is done to the clip of the first damage: one picture of it. */
const STILLS: readonly { name: string; file: string; filter: string }[] = [
  { name: 'screenshot of VP8, 1 Mbit/s', file: 'shot.png', filter: 'null' },
  { name: 'the same in a page of 1600x900', file: 'page.png', filter: 'pad=1600:900:160:90:color=0xeeeeee' },
  { name: 'the same as JPEG at half the size', file: 'shot.jpg', filter: 'scale=iw/2:ih/2' },
];

/** How often one damage was survived. */
export interface DamageRow {
  damage: string;
  clips: number;
  /** How many marks were found, and of how many the message was read right. */
  found: number;
  read: number;
  /** Messages that were read wrong. */
  wrong: number;
  leastScore: number;
  medianScore: number;
}

/** The figures of the bench. */
export interface WatermarkFigures {
  damages: DamageRow[];
  /** Peak signal to noise of the mark in each clip, in decibels. */
  psnrDb: { least: number; median: number };
  unmarked: { clips: number; pictures: number; falseAlarms: number; mostScore: number };
}

/** What is measured with. */
export interface WatermarkOptions {
  /** A folder of videos, searched with its subfolders, in place of the composed clips; null for those. */
  videos: string | null;
  /** A folder of pictures without the mark. */
  pictures: string | null;
  /** How long a clip is, in seconds: shorter ones are repeated. */
  seconds: number;
  onProgress?: (line: string) => void;
}

/** @throws Error where ffmpeg is missing. */
export async function benchWatermark(options: WatermarkOptions): Promise<WatermarkFigures> {
  const { videos, pictures, seconds, onProgress = () => undefined } = options;
  const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-watermark-'));
  try {
    const clips = videos === null ? CLIPS.map(({ name }) => name) : filesIn(videos, /\.(mp4|webm|mkv|mov)$/i);
    const scores = new Map<string, { score: number; isMarked: boolean; message: number | null }[]>();
    const psnrDb: number[] = [];
    const unmarked: { score: number; isMarked: boolean }[] = [];
    for (const [k, clip] of clips.entries()) {
      const raw = videos === null ? await composed(k, seconds, folder) : rawOf(clip, seconds);
      run([...RAW_INPUT, ...x264(18), path.join(folder, 'plain.mp4')], raw);
      unmarked.push(await detectIn(path.join(folder, 'plain.mp4'), LAYOUT));
      psnrDb.push(await markAll(raw));
      run([...RAW_INPUT, ...DAMAGES.flatMap(({ file, options }) => [...options, path.join(folder, file)])], raw);
      for (const { file, filter } of STILLS)
        run([
          '-ss',
          '1.5',
          '-i',
          path.join(folder, 'one.webm'),
          '-vf',
          filter,
          '-frames:v',
          '1',
          path.join(folder, file),
        ]);
      for (const { name, file } of [...DAMAGES, ...STILLS]) {
        const found = await detectIn(path.join(folder, file), LAYOUT);
        scores.set(name, [...(scores.get(name) ?? []), found]);
        onProgress(
          `${k + 1} of ${clips.length}, ${name}: ${found.score.toFixed(1)}${found.message === WORD ? ', read' : ''}`,
        );
      }
    }
    const stills = pictures === null ? [] : filesIn(pictures, /\.(jpe?g|png|webp)$/i);
    for (const file of stills) unmarked.push(await detectIn(file, LAYOUT));
    const damages = [...scores].map(([damage, found]) => rowOf(damage, found));
    return {
      damages,
      psnrDb: { least: rounded(Math.min(...psnrDb)), median: rounded(median(psnrDb)) },
      unmarked: {
        clips: clips.length,
        pictures: stills.length,
        falseAlarms: unmarked.filter(({ isMarked }) => isMarked).length,
        mostScore: rounded(Math.max(...unmarked.map(({ score }) => score))),
      },
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const RAW_INPUT = [
  '-f',
  'rawvideo',
  '-pix_fmt',
  'yuv420p',
  '-s',
  `${SIZE.width}x${SIZE.height}`,
  '-r',
  String(FPS),
  '-i',
  '-',
];
const FILL = `scale=${SIZE.width}:${SIZE.height}:force_original_aspect_ratio=increase:flags=lanczos,crop=${SIZE.width}:${SIZE.height}`;

function filesIn(folder: string, ending: RegExp): string[] {
  const names = readdirSync(folder, { recursive: true }) as string[];
  return names
    .filter((name) => ending.test(name))
    .sort()
    .map((name) => path.join(folder, name));
}

/** Runs ffmpeg. @throws Error with what it says. */
function run(args: readonly string[], input?: Uint8Array): Buffer {
  const given = input === undefined ? [] : { input };
  const { status, stdout, stderr } = spawnSync('ffmpeg', ['-v', 'error', '-y', ...args], {
    ...given,
    maxBuffer: 2 ** 31 - 1,
  });
  if (status !== 0) throw new Error(`ffmpeg: ${stderr?.toString() || 'is it installed?'}`);
  return stdout;
}

const rawOf = (file: string, seconds: number): Buffer =>
  run([
    '-stream_loop',
    '-1',
    '-i',
    file,
    '-vf',
    `fps=${FPS},${FILL}`,
    '-t',
    String(seconds),
    '-pix_fmt',
    'yuv420p',
    '-f',
    'rawvideo',
    '-',
  ]);

/** A composed clip in the bench's size. */
async function composed(k: number, seconds: number, folder: string): Promise<Buffer> {
  const frames = await compose(CLIPS[k]!, seconds * FPS);
  const file = path.join(folder, 'composed.y4m');
  const header = `YUV4MPEG2 W${COMPOSED_WIDTH} H${COMPOSED_HEIGHT} F${FPS}:1 Ip A1:1 C420jpeg\n`;
  const body = frames.flatMap(({ data }) => [Buffer.from('FRAME\n'), data]);
  run(['-i', '-', '-c:v', 'ffv1', '-f', 'matroska', file], Buffer.concat([Buffer.from(header), ...body]));
  return rawOf(file, seconds);
}

/** Marks every frame of a raw clip in place. @returns the mark's peak signal to noise in luma, in decibels. */
async function markAll(raw: Buffer): Promise<number> {
  const watermark = new StreamWatermark(await compiledKernels(), LAYOUT, WORD);
  const { u, bytes } = planesOf(SIZE);
  let squares = 0;
  for (let at = 0; at + bytes <= raw.length; at += bytes) {
    const data = Uint8Array.from(raw.subarray(at, at + bytes));
    watermark.mark({ ...SIZE, data, receivedAtMs: 0 });
    for (let i = 0; i < u; i++) squares += (data[i]! - raw[at + i]!) ** 2;
    raw.set(data, at);
  }
  return 10 * Math.log10(255 ** 2 / (squares / (u * Math.floor(raw.length / bytes))));
}

function rowOf(
  damage: string,
  found: readonly { score: number; isMarked: boolean; message: number | null }[],
): DamageRow {
  const scores = found.map(({ score }) => score);
  return {
    damage,
    clips: found.length,
    found: found.filter(({ isMarked }) => isMarked).length,
    read: found.filter(({ message }) => message === WORD).length,
    wrong: found.filter(({ message }) => message !== null && message !== WORD).length,
    leastScore: rounded(Math.min(...scores)),
    medianScore: rounded(median(scores)),
  };
}

const rounded = (value: number): number => Number(value.toFixed(1));
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;
