/** The watermark in a picture of RGB, which keeps its colours at full resolution. */

import { rgbOf } from '../../shared/i420.ts';
import { allChips, type MessageLayout } from '../../watermark/chips.ts';
import { messageChips } from '../../watermark/message.ts';
import { cellSide, STILL_CELLS_ACROSS } from '../../watermark/pattern.ts';
import { compiledKernels } from './compiled-kernels.ts';
import { LumaMarker } from './luma-marker.ts';

/** Interleaved red, green and blue, 0..255. */
export interface RgbPicture {
  data: Uint8Array;
  width: number;
  height: number;
}

/** What a level of luma is in red, green and blue. */
const RGB_SHARE = (rgbOf(17, 128, 128)[0] - rgbOf(16, 128, 128)[0]) * 255;

/** Adds the mark to a picture in place. @param word of 32 bits. */
export async function markPicture(
  { data, width, height }: RgbPicture,
  layout: MessageLayout,
  word: number,
): Promise<void> {
  // Luma alone, as the mark leaves chroma as it is.
  const before = new Uint8Array(width * height);
  for (let i = 0; i < before.length; i++)
    before[i] = Math.round(16 + 0.256788 * data[3 * i]! + 0.504129 * data[3 * i + 1]! + 0.097906 * data[3 * i + 2]!);
  const marked = before.slice();
  const chips = allChips(messageChips(word), layout);
  const cell = cellSide(width, height, STILL_CELLS_ACROSS);
  const marker = new LumaMarker(await compiledKernels(), chips, cell, { width, height });
  marker.mark({ width, height, data: marked, receivedAtMs: 0 });
  for (let i = 0; i < data.length; i++) {
    const pixel = Math.floor(i / 3);
    const value = data[i]! + RGB_SHARE * (marked[pixel]! - before[pixel]!);
    data[i] = Math.min(255, Math.max(0, Math.round(value)));
  }
}
