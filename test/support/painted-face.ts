/** A face that lies where a template wants it, on a soft picture, and what painting it changed. */

import { alignedSquare } from '../../src/pipeline/engines/neural/face-alignment.ts';
import { ALL_POINTS, EYE_LEFT, EYE_RIGHT } from '../../src/pipeline/face/topology.ts';
import { TEMPLATES, type TemplateName } from '../../src/pipeline/models/profiles.ts';
import type { Frame } from '../../src/shared/types.ts';

/** Where a crop lies in a frame: its side, its centre, and by how much it is turned. */
export interface PlacedAt {
  side: number;
  x: number;
  y: number;
  angle: number;
}

export interface Placed {
  /** 478 points; those that alignment looks at lie on the template. */
  points: Float32Array;
  /** The five points of the template in the frame. */
  five: [number, number][];
}

/** The template's points in a frame, by a crop of that side about a centre, turned. */
export function placed(template: TemplateName, { side, x, y, angle }: PlacedAt): Placed {
  const t = TEMPLATES[template];
  const [c, s] = [Math.cos(angle) * side, Math.sin(angle) * side];
  const five = Array.from({ length: 5 }, (_, k): [number, number] => {
    const [u, v] = [t[2 * k]! - 0.5, t[2 * k + 1]! - 0.5];
    return [x + c * u - s * v, y + s * u + c * v];
  });
  const points = new Float32Array(ALL_POINTS * 3);
  for (const [k, group] of [EYE_RIGHT, EYE_LEFT, [1, 4], [61], [291]].entries())
    for (const i of group) points.set(five[k]!, 3 * i);
  return { points, five };
}

/** A soft picture with a bright spot at each of some places: what interpolation does to it is small. */
export function softFrame(width: number, height: number, spots: readonly [number, number][] = []): Frame {
  const [cw, ch] = [(width + 1) >> 1, (height + 1) >> 1];
  const data = new Uint8Array(width * height + 2 * cw * ch);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let luma = 70 + (60 * x) / width + (30 * y) / height;
      for (const [sx, sy] of spots) luma += 80 * Math.exp(-((x + 0.5 - sx) ** 2 + (y + 0.5 - sy) ** 2) / (2 * 4 ** 2));
      data[y * width + x] = Math.round(luma);
    }
  }
  for (let y = 0; y < ch; y++) {
    for (let x = 0; x < cw; x++) {
      data[width * height + y * cw + x] = Math.round(110 + (20 * x) / cw);
      data[width * height + cw * ch + y * cw + x] = Math.round(140 + (15 * y) / ch);
    }
  }
  return { width, height, data, receivedAtMs: 0 };
}

/** Differences of luma inside the crop's square, and how many bytes outside of it changed. */
export function differencesInside(before: Frame, after: Frame, template: TemplateName, at: PlacedAt) {
  const square = alignedSquare(placed(template, at).points, template);
  const inside = { mean: 0, most: 0, changed: 0 };
  let [count, outside] = [0, 0];
  const { width, height } = before;
  for (let i = 0; i < width * height; i++) {
    const [dx, dy] = [(i % width) + 0.5 - square.x, Math.floor(i / width) + 0.5 - square.y];
    const u = dx * Math.cos(square.angle) + dy * Math.sin(square.angle);
    const v = dy * Math.cos(square.angle) - dx * Math.sin(square.angle);
    const difference = Math.abs(before.data[i]! - after.data[i]!);
    if (Math.max(Math.abs(u), Math.abs(v)) > square.side / 2) {
      outside += difference > 0 ? 1 : 0;
      continue;
    }
    count++;
    inside.mean += difference;
    inside.most = Math.max(inside.most, difference);
    inside.changed += difference > 0 ? 1 : 0;
  }
  inside.mean /= count;
  return { inside, outside };
}
