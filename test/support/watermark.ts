/** Pictures with and without the mark. */

import { compiledKernels } from '../../src/pipeline/kernels/compiled-kernels.ts';
import { StreamWatermark } from '../../src/pipeline/kernels/stream-watermark.ts';
import { planesOf } from '../../src/shared/i420.ts';
import type { Frame } from '../../src/shared/types.ts';
import { messageLayout } from '../../src/watermark/chips.ts';
import { layoutWords } from '../../src/watermark/mark-key.ts';
import type { GrayPicture } from '../../src/watermark/residual.ts';

export const TEST_KEY = 'ab'.repeat(32);
export const TEST_WORD = 0xc0ffee42;
export const testLayout = messageLayout(layoutWords(TEST_KEY));

export const testWatermark = async (): Promise<StreamWatermark> =>
  new StreamWatermark(await compiledKernels(), testLayout, TEST_WORD);

/** Random numbers, 0..1, the same in every run (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A scene: soft shapes of many sizes over a gradient, and a camera's noise. The same for a seed but for the noise. */
export function sceneOf(width: number, height: number, seed: number, noiseSeed = seed): Frame {
  const random = randomOf(seed);
  const waves = Array.from({ length: 16 }, () => {
    const length = 12 * 40 ** random();
    const turn = 2 * Math.PI * random();
    const [phase, size] = [2 * Math.PI * random(), 2.3 * Math.sqrt(length / 12)];
    return { x: Math.cos(turn) / length, y: Math.sin(turn) / length, phase, size };
  });
  const noise = randomOf(noiseSeed + 1000);
  const { u, bytes } = planesOf({ width, height });
  const data = new Uint8Array(bytes).fill(128);
  for (let i = 0; i < u; i++) {
    const [x, y] = [i % width, Math.floor(i / width)];
    const light = waves.reduce((sum, wave) => sum + wave.size * Math.sin(wave.x * x + wave.y * y + wave.phase), 0);
    data[i] = 110 + 40 * (x / width) + light + 3 * (noise() + noise() - 1);
  }
  return { width, height, data, receivedAtMs: 0 };
}

export const grayOf = ({ width, height, data }: Frame): GrayPicture => ({
  width,
  height,
  values: Float32Array.from(data.subarray(0, width * height)),
});
