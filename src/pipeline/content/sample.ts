import { planesOf } from '../../shared/i420.ts';
import type { Frame } from '../../shared/types.ts';

/** Side of the square that the content check looks at, in pixels. */
const SAMPLE_SIDE = 224;

/**
 * A frame as the content check sees it: the whole picture on a square, one pixel of the frame for each of the sample.
 * @param isMirrored left and right exchanged. @returns interleaved RGB, 0..255, 224 x 224.
 */
export function sampleOf({ width, height, data }: Frame, isMirrored = false): Uint8Array<ArrayBuffer> {
  const { chromaWidth, u, v } = planesOf({ width, height });
  const rgb = new Uint8ClampedArray(3 * SAMPLE_SIDE * SAMPLE_SIDE);
  for (let row = 0, at = 0; row < SAMPLE_SIDE; row++) {
    const y = Math.floor(((row + 0.5) * height) / SAMPLE_SIDE);
    for (let column = 0; column < SAMPLE_SIDE; column++, at += 3) {
      const place = isMirrored ? SAMPLE_SIDE - column - 0.5 : column + 0.5;
      const x = Math.floor((place * width) / SAMPLE_SIDE);
      const cell = (y >> 1) * chromaWidth + (x >> 1);
      const luma = 1.164384 * (data[y * width + x]! - 16);
      const blue = data[u + cell]! - 128;
      const red = data[v + cell]! - 128;
      rgb[at] = luma + 1.596027 * red;
      rgb[at + 1] = luma - 0.391762 * blue - 0.812968 * red;
      rgb[at + 2] = luma + 2.017232 * blue;
    }
  }
  return new Uint8Array(rgb.buffer);
}
