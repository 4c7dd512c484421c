/** A lane in the test's own thread, and pictures to feed it. */

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { defaultConfig } from '../../src/config.ts';
import { decodePicture, rgbToFrame } from '../../src/faces/portrait.ts';
import { root } from '../../src/lib/package-root.ts';
import { Lane } from '../../src/pipeline/lane/lane.ts';
import { laneOptions } from '../../src/pipeline/pool/lane-options.ts';
import type { LaneOptions } from '../../src/pipeline/pool/lane-protocol.ts';
import type { Frame } from '../../src/shared/types.ts';

export const modelsDir = path.join(root, 'models');
export const astronaut = path.join(modelsDir, 'portraits/astronaut.webp');
/** A group photo of an npm devDependency. */
export const group = path.join(root, 'node_modules/@vladmandic/face-api/demo/sample1.jpg');

export async function startLane(
  onFault: (error: unknown, session?: string) => void = () => undefined,
  options: Partial<LaneOptions> = {},
): Promise<Lane> {
  const config = defaultConfig();
  return Lane.start(
    {
      ...laneOptions({ ...config, models: { ...config.models, dir: modelsDir } }),
      warmupRuns: 0,
      budgetMs: Number.POSITIVE_INFINITY,
      ...options,
    },
    onFault,
  );
}

export async function readFrame(file: string): Promise<Frame> {
  return decodePicture(await readFile(file), { bytes: 1e8, pixels: 1e8 });
}

/** A part of a picture at another size, as a camera might show it. */
export async function cutFrame(
  file: string,
  part: { left: number; top: number; width: number; height: number },
  width: number,
  height: number,
): Promise<Frame> {
  const { data, info } = await sharp(file)
    .extract(part)
    .resize(width, height, { fit: 'fill' })
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return rgbToFrame(data, info.width, info.height, 3);
}

export const copyFrame = (frame: Frame): Frame => ({ ...frame, data: frame.data.slice() });

/** A small picture on grey, as of a person far from the camera. @param at even corner. */
export function onGrey(inner: Frame, width: number, height: number, at: { x: number; y: number }): Frame {
  const data = new Uint8Array((width * height * 3) / 2).fill(128);
  let [from, to] = [0, 0];
  for (const shift of [0, 1, 1]) {
    const [w, h, stride] = [inner.width >> shift, inner.height >> shift, width >> shift];
    for (let row = 0; row < h; row++) {
      const place = to + ((at.y >> shift) + row) * stride + (at.x >> shift);
      data.set(inner.data.subarray(from + row * w, from + (row + 1) * w), place);
    }
    from += w * h;
    to += stride * (height >> shift);
  }
  return { width, height, data, receivedAtMs: 0 };
}
