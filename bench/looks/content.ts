/**
 * False alarms of the content check: ordinary clips are checked as a stream is, once a second, every other time mirrored,
 * and counted as votes. Pictures become clips by a slow zoom and pan. Misses need pictures that the project does not have.
 */

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { defaultConfig } from '../../src/config.ts';
import { rgbToFrame } from '../../src/faces/portrait.ts';
import { root } from '../../src/lib/package-root.ts';
import { ContentCheck } from '../../src/pipeline/content/content-check.ts';
import { ContentVotes } from '../../src/pipeline/content/content-votes.ts';
import { sampleOf } from '../../src/pipeline/content/sample.ts';
import type { Frame } from '../../src/shared/types.ts';

/** Size that clips are brought to, and checks of each: so many seconds of a stream. */
const [WIDTH, HEIGHT] = [640, 480];
const CHECKS = 12;

/** What ordinary clips did. Scores are 0..1. */
export interface ContentFigures {
  clips: number;
  checks: number;
  /** Checks above the threshold, clips that have one, and clips that were hidden. */
  above: number;
  clipsAbove: number;
  hidden: number;
  highest: number;
  /** Clips with the highest scores. */
  worst: { clip: string; highest: number; above: number }[];
}

/** @param videos a folder of clips, or null. @param pictures a folder of pictures, or null. @throws Error where ffmpeg is missing. */
export async function benchContent(videos: string | null, pictures: string | null): Promise<ContentFigures> {
  const check = new ContentCheck(path.join(root, 'models'));
  const threshold = defaultConfig().safety.contentThreshold;
  const rows: { clip: string; highest: number; above: number; hidden: boolean }[] = [];
  const observe = async (clip: string, frames: readonly Frame[]): Promise<void> => {
    const votes = new ContentVotes(threshold);
    const row = { clip, highest: 0, above: 0, hidden: false };
    for (let n = 0; n < CHECKS; n++) {
      const score = await check.score(sampleOf(frames[n % frames.length]!, n % 2 === 1));
      votes.observe(score);
      row.highest = Math.max(row.highest, score);
      if (score > threshold) row.above++;
      row.hidden ||= votes.isBlocked;
    }
    rows.push(row);
  };
  try {
    for (const file of filesIn(videos, /\.(mp4|webm|mkv|mov)$/i)) await observe(file, framesOf(file));
    for (const file of filesIn(pictures, /\.(jpe?g|png|webp)$/i)) await observe(file, await zoomed(file));
  } finally {
    await check.close();
  }
  const ranked = [...rows].sort((a, b) => b.highest - a.highest);
  const round = (score: number): number => Number(score.toFixed(2));
  return {
    clips: rows.length,
    checks: rows.length * CHECKS,
    above: rows.reduce((sum, { above }) => sum + above, 0),
    clipsAbove: rows.filter(({ above }) => above > 0).length,
    hidden: rows.filter(({ hidden }) => hidden).length,
    highest: round(ranked[0]?.highest ?? 0),
    worst: ranked
      .slice(0, 5)
      .map(({ clip, highest, above }) => ({ clip: path.basename(clip), highest: round(highest), above })),
  };
}

function filesIn(folder: string | null, ending: RegExp): string[] {
  if (folder === null) return [];
  const names = readdirSync(folder, { recursive: true }) as string[];
  return names
    .filter((name) => ending.test(name))
    .sort()
    .map((name) => path.join(folder, name));
}

/** Frames of a clip, a second apart in it where it is long enough, else spread over it. */
function framesOf(file: string): Frame[] {
  const filter = `select='not(mod(n\\,8))',scale=${WIDTH}:${HEIGHT}`;
  const args = ['-v', 'error', '-i', file, '-vf', filter, '-vsync', '0', '-frames:v', '120', '-pix_fmt', 'yuv420p'];
  const { status, stdout, stderr } = spawnSync('ffmpeg', [...args, '-f', 'rawvideo', '-'], { maxBuffer: 2 ** 30 });
  if (status !== 0) throw new Error(`ffmpeg: ${stderr?.toString() || 'is it installed?'}`);
  const bytes = (WIDTH * HEIGHT * 3) / 2;
  const count = Math.floor(stdout.length / bytes);
  const chosen = Array.from({ length: Math.min(CHECKS, count) }, (_, n) => Math.floor((n * count) / CHECKS));
  return chosen.map((n) => ({
    width: WIDTH,
    height: HEIGHT,
    data: Uint8Array.from(stdout.subarray(n * bytes, (n + 1) * bytes)),
    receivedAtMs: 0,
  }));
}

/** A picture, nearer and further to a side from frame to frame. */
async function zoomed(file: string): Promise<Frame[]> {
  const { width = 0, height = 0 } = await sharp(file).metadata();
  const frames: Frame[] = [];
  for (let n = 0; n < CHECKS; n++) {
    const share = 0.95 - (0.35 * n) / CHECKS;
    const [w, h] = [Math.round(width * share), Math.round(height * share * 0.75)];
    const { data } = await sharp(file)
      .extract({ left: Math.round(((width - w) * n) / CHECKS), top: Math.round((height - h) / 3), width: w, height: h })
      .resize(WIDTH, HEIGHT, { fit: 'fill' })
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    frames.push(rgbToFrame(data, WIDTH, HEIGHT, 3));
  }
  return frames;
}
