/**
 * A lane's first frames take ten times as long as later ones, because V8 has not compiled the code yet. So a lane
 * swaps a shipped portrait until it is as fast as it gets, before its first stream. Runs in the lane's thread.
 */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { rgbToFrame } from '../../faces/portrait.ts';
import { root } from '../../lib/package-root.ts';
import { sharp } from '../../lib/sharp.ts';
import type { Frame } from '../../shared/types.ts';

/** Frames until the compiler has optimised the code. */
const RUNS = 16;
/** How many of the last frames the time of a swap is taken from. */
const MEASURED = 5;
/** The usual size of a webcam's frame, in pixels. */
const [WIDTH, HEIGHT] = [640, 480];
/** How much of the frame's height the portrait takes. */
const SHARE = 0.8;
/** A shipped portrait. */
export const PORTRAIT = path.join(root, 'models/portraits/astronaut.webp');

/** A webcam frame with a shipped portrait on grey. */
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

/**
 * Swaps a frame RUNS times.
 * @param swap swaps a copy of the frame in place.
 * @returns milliseconds a swap, the median of the last MEASURED.
 */
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
