/**
 * Code that has not run yet is slow: a lane's first frames take ten times as long as later ones. So before its first stream a lane
 * swaps a shipped portrait until that is as fast as it gets. In the lane's thread.
 */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { root } from '../root.ts';
import { rgbToFrame } from './portrait.ts';
import type { Frame } from './types.ts';

/** After so many the compiler has done what it does. */
const RUNS = 16;
/** The usual size of a webcam's picture, and how much of its height the portrait takes. */
const [WIDTH, HEIGHT] = [640, 480];
const SHARE = 0.8;
const PORTRAIT = path.join(root, 'models/portraits/astronaut.webp');

/** A picture with a face in it. */
export async function warmUpFrame(): Promise<Frame> {
  const side = Math.round(SHARE * HEIGHT);
  const portrait = await sharp(readFileSync(PORTRAIT)).resize(side, side).toBuffer();
  const { data } = await sharp({ create: { width: WIDTH, height: HEIGHT, channels: 3, background: '#808890' } })
    .composite([{ input: portrait }])
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return rgbToFrame(data, WIDTH, HEIGHT, 3);
}

/** Has a picture swapped again and again. @param swap does it in place. */
export async function warmUp({ data, ...frame }: Frame, swap: (frame: Frame) => Promise<unknown>): Promise<void> {
  for (let run = 0; run < RUNS; run++)
    await swap({ ...frame, data: Uint8Array.from(data), receivedAtMs: performance.now() });
}
