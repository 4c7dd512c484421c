/** H.264 in tests: whether the packages are installed, and a publisher as OBS is one. */

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { root } from '../../src/lib/package-root.ts';
import { hasH264, loadH264 } from '../../src/server/h264/h264-packages.ts';
import { nalUnitsOf } from '../../src/server/rtp/h264-depacketizer.ts';

const repositoryCache = path.join(root, 'cache');

/** Why there is no H.264 here, for people; null where there is. */
export const whyNoH264 = (): string | null =>
  hasH264(repositoryCache) ? null : 'the packages for H.264 are not in cache/: npm run h264:install fetches them';

/** The libraries, where whyNoH264 is null. */
export const h264Libraries = async () => (await loadH264(repositoryCache))!;

/** A cache folder of its own that has the packages for H.264; it goes with this process. */
export function cacheWithH264(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-h264-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  symlinkSync(path.join(repositoryCache, 'h264'), path.join(folder, 'h264'));
  return folder;
}

/** One encoded picture, Annex B. */
export type EncodedUnit = Buffer;

/** Pictures encoded by ffmpeg's x264, as OBS encodes: no B-frames, headers in band. @param args what to encode. */
export async function encodeH264(input: readonly string[], coding: readonly string[] = []): Promise<EncodedUnit[]> {
  const usual = ['-c:v', 'libx264', '-profile:v', 'high', '-preset', 'veryfast', '-tune', 'zerolatency', '-bf', '0'];
  const child = spawn('ffmpeg', ['-v', 'error', ...input, ...usual, ...coding, '-aud', '1', '-f', 'h264', '-'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const chunks: Buffer[] = [];
  for await (const chunk of child.stdout) chunks.push(chunk as Buffer);
  return unitsOf(Buffer.concat(chunks));
}

/** Splits an Annex B stream with access unit delimiters into pictures. */
function unitsOf(stream: Buffer): EncodedUnit[] {
  const units: Buffer[][] = [];
  for (const nal of nalUnitsOf(stream)) {
    if ((nal[0]! & 31) === 9) units.push([]);
    else units.at(-1)!.push(Buffer.from([0, 0, 0, 1]), Buffer.from(nal));
  }
  return units.map((parts) => Buffer.concat(parts));
}
