/**
 * Code that has not run yet is slow: a lane's first frames take ten times as long as later ones. So before its first stream a lane
 * swaps a shipped portrait until that is as fast as it gets. In the lane's thread.
 */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { rgbToFrame } from '../../faces/portrait.ts';
import { root } from '../../lib/package-root.ts';
import type { Frame } from '../../shared/types.ts';

/** After so many the compiler has done what it does. */
const RUNS = 16;
/** As many of the last ones tell what a swap takes. */
const MEASURED = 5;
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

/** Has a picture swapped again and again. @param swap does it in place. @returns milliseconds a swap, of the last ones. */
export async function warmUp({ data, ...frame }: Frame, swap: (frame: Frame) => Promise<unknown>): Promise<number> {
  const tookMs: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const copy = Uint8Array.from(data);
    const beganMs = performance.now();
    await swap({ ...frame, data: copy, receivedAtMs: beganMs });
    tookMs.push(performance.now() - beganMs);
  }
  return tookMs.slice(-MEASURED).sort((a, b) => a - b)[Math.floor(MEASURED / 2)]!;
}
