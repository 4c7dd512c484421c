import { planesOf } from '../../shared/i420.ts';
import type { Frame } from '../../shared/types.ts';

/** One plane of a frame: its samples, row by row. */
interface Plane {
  data: Uint8Array;
  width: number;
  height: number;
}

/**
 * Rotates an I420 frame upright. Phones send pictures as the sensor delivers them, with the rotation beside.
 * @param rotation degrees clockwise that make the picture upright: 0, 90, 180 or 270.
 * @returns the frame itself if it is upright, or a rotated copy.
 */
export function upright(frame: Frame, rotation: number): Frame {
  if (rotation % 360 === 0) return frame;
  const { width, height, data } = frame;
  const { chromaWidth, chromaHeight, u, v } = planesOf(frame);
  const out = new Uint8Array(data.length);
  const chroma = { width: chromaWidth, height: chromaHeight };
  rotate({ data: data.subarray(0, u), width, height }, rotation, out.subarray(0, u));
  rotate({ data: data.subarray(u, v), ...chroma }, rotation, out.subarray(u, v));
  rotate({ data: data.subarray(v), ...chroma }, rotation, out.subarray(v));
  const isSideways = rotation % 180 !== 0;
  return { ...frame, width: isSideways ? height : width, height: isSideways ? width : height, data: out };
}

function rotate({ data, width, height }: Plane, rotation: number, to: Uint8Array): void {
  const last = width * height - 1;
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (rotation === 180) to[last - i] = data[i]!;
      else if (rotation === 90) to[x * height + height - 1 - y] = data[i]!;
      else to[(width - 1 - x) * height + y] = data[i]!;
    }
  }
}
