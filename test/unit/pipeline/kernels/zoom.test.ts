import { beforeAll, describe, expect, test } from 'vitest';
import { showPart } from '../../../../src/pipeline/framing/show-part.ts';
import { Kernels } from '../../../../src/pipeline/kernels/kernels.ts';
import type { Rect } from '../../../../src/shared/geometry.ts';
import { planesOf } from '../../../../src/shared/i420.ts';
import type { Frame } from '../../../../src/shared/types.ts';

let kernels: Kernels;
beforeAll(async () => {
  kernels = await Kernels.load(1280 * 720);
});

function busyFrame(width: number, height: number): Frame {
  const data = new Uint8Array(planesOf({ width, height }).bytes);
  let seed = 7;
  for (let i = 0; i < data.length; i++) {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff;
    data[i] = seed >> 16;
  }
  return { width, height, data, receivedAtMs: 0 };
}

/** The same by a plain loop: bilinear, edge pixels repeat. */
function plainPart({ width, height, data }: Frame, view: Rect): Uint8Array {
  const out = new Uint8Array(data.length);
  const [cw, ch] = [(width + 1) >> 1, (height + 1) >> 1];
  const step = view.width / width;
  for (const [offset, w, h, scale] of [
    [0, width, height, 1],
    [width * height, cw, ch, 0.5],
    [width * height + cw * ch, cw, ch, 0.5],
  ] as const) {
    const at = (x: number, y: number): number =>
      data[offset + Math.min(h - 1, Math.max(0, y)) * w + Math.min(w - 1, Math.max(0, x))]!;
    for (let j = 0; j < h; j++)
      for (let i = 0; i < w; i++) {
        const x = Math.min(w - 1, Math.max(0, view.x * scale + (i + 0.5) * step - 0.5));
        const y = Math.min(h - 1, Math.max(0, view.y * scale + (j + 0.5) * step - 0.5));
        const [xi, yi] = [Math.floor(x), Math.floor(y)];
        const [fx, fy] = [x - xi, y - yi];
        const top = at(xi, yi) * (1 - fx) + at(xi + 1, yi) * fx;
        const low = at(xi, yi + 1) * (1 - fx) + at(xi + 1, yi + 1) * fx;
        out[offset + j * w + i] = top * (1 - fy) + low * fy;
      }
  }
  return out;
}

describe('a part of a frame, enlarged', () => {
  test.each([
    ['the middle', 640, 480, { x: 160, y: 120, width: 320, height: 240 }],
    ['a corner', 640, 480, { x: 213.3, y: 160, width: 426.7, height: 320 }],
    ['between pixels', 1280, 720, { x: 100.37, y: 55.81, width: 1280 / 1.37, height: 720 / 1.37 }],
    ['of a size that is no multiple of anything', 418, 234, { x: 20.5, y: 3.25, width: 418 / 1.9, height: 234 / 1.9 }],
    ['of an odd size', 321, 181, { x: 0, y: 0, width: 321 / 1.5, height: 181 / 1.5 }],
    ['a little', 640, 480, { x: 1.2, y: 0.9, width: 640 / 1.005, height: 480 / 1.005 }],
  ])('is what a plain loop makes of it: %s', (_what, width, height, view) => {
    const frame = busyFrame(width, height);
    const expected = plainPart(frame, view);
    showPart(kernels, frame, view);
    let most = 0;
    let sum = 0;
    for (const [i, value] of frame.data.entries()) {
      most = Math.max(most, Math.abs(value - expected[i]!));
      sum += Math.abs(value - expected[i]!);
    }
    // Weights have seven bits, in each of two directions, of noise from 0 to 255.
    expect(most).toBeLessThanOrEqual(5);
    expect(sum / frame.data.length).toBeLessThan(1.1);
  });

  test('is the frame itself where the part is the whole', () => {
    const frame = busyFrame(640, 480);
    const before = frame.data.slice();
    showPart(kernels, frame, { x: 0, y: 0, width: 640, height: 480 });
    expect(Buffer.from(frame.data).equals(before)).toBe(true);
  });
});
