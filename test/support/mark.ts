/** Whether a picture has the visible mark: it is looked for by its dark ground and its light letters. */

import { planesOf } from '../../src/shared/i420.ts';
import type { Frame } from '../../src/shared/types.ts';

/** An even picture; the mark is the only thing that can be seen in it. */
export const evenFrame = (width: number, height: number, luma = 128): Frame => ({
  width,
  height,
  receivedAtMs: 0,
  data: new Uint8Array(planesOf({ width, height }).bytes).fill(128).fill(luma, 0, width * height),
});

/** True if the upper right part of an even picture has dark and light luma, as the mark has. */
export function hasMark({ width, height, data }: Pick<Frame, 'width' | 'height' | 'data'>): boolean {
  let [dark, light] = [0, 0];
  for (let y = 0; y < height / 4; y++) {
    for (let x = Math.floor(width / 3); x < width; x++) {
      const value = data[y * width + x]!;
      if (value < 80) dark++;
      else if (value > 180) light++;
    }
  }
  return dark > 100 && light > 20;
}
