/** The layout of the atlas: the canonical face model's texture coordinates. */

import { POINTS, type Topology } from '../../../face/topology.ts';

/** Side of the luma texture in pixels; chroma is half. Must be even. */
export const ATLAS = 512;

/** Luma of black in limited-range BT.601. */
export const BLACK = 16;

/** U and V of grey. */
export const GREY = 128;

/** Space around the unwrapped face in pixels, so that sampling at the rim stays inside. */
export const BORDER = 8;
/** Planes of a square I420 picture, tightly packed, limited range. */
export interface Planes {
  y: Uint8Array;
  u: Uint8Array;
  v: Uint8Array;
}

/** Texture coordinates of the points in pixels of the atlas: x, y of 468. */
export function atlasPoints(topology: Topology): Float32Array {
  const points = new Float32Array(POINTS * 2);
  for (let i = 0; i < points.length; i++) points[i] = BORDER + topology.uvs[i]! * (ATLAS - 2 * BORDER);
  return points;
}
