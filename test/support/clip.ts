/** A camera for the browser: a y4m clip of one picture, so that what comes back can be compared with what went in. */

import { mkdtempSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Frame } from '../../src/shared/types.ts';

/** @returns the file, in a folder of its own under the system's temporary folder. */
export function writeClip({ width, height, data }: Frame, frames: number): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-clip-'));
  const file = path.join(folder, 'camera.y4m');
  const frame = Buffer.concat([Buffer.from('FRAME\n'), data]);
  const header = Buffer.from(`YUV4MPEG2 W${width} H${height} F30:1 Ip A1:1 C420jpeg\n`);
  writeFileSync(file, Buffer.concat([header, ...Array.from({ length: frames }, () => frame)]));
  return file;
}
