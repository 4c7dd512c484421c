import { planesOf } from '../../../../shared/i420.ts';
import type { Frame } from '../../../../shared/types.ts';

/**
 * Reads a plane of a photo at any place by bilinear interpolation, edges replicated.
 * @param plane 0 for Y, 1 for U, 2 for V. @returns the value at x, y in pixels of that plane.
 */
export function photoSampler({ width, height, data }: Frame, plane: 0 | 1 | 2): (x: number, y: number) => number {
  const { chromaWidth, chromaHeight, u, v } = planesOf({ width, height });
  const [w, h] = plane === 0 ? [width, height] : [chromaWidth, chromaHeight];
  const start = [0, u, v][plane]!;
  return (x, y) => {
    const fx = Math.min(w - 1, Math.max(0, x - 0.5));
    const fy = Math.min(h - 1, Math.max(0, y - 0.5));
    const x0 = Math.min(w - 2, Math.floor(fx));
    const y0 = Math.min(h - 2, Math.floor(fy));
    const at = start + y0 * w + x0;
    const [ax, ay] = [fx - x0, fy - y0];
    const top = data[at]! * (1 - ax) + data[at + 1]! * ax;
    return top * (1 - ay) + (data[at + w]! * (1 - ax) + data[at + w + 1]! * ax) * ay;
  };
}
