import { beforeAll, describe, expect, test } from 'vitest';
import { boxMask } from '../../../../src/pipeline/engines/neural/paste-mask.ts';
import { layoutOf, NO_CORRECTION, rangeOf, yuvMatrix } from '../../../../src/pipeline/engines/neural/tensor-layout.ts';
import { Kernels } from '../../../../src/pipeline/kernels/kernels.ts';
import type { Square } from '../../../../src/shared/geometry.ts';
import type { Frame } from '../../../../src/shared/types.ts';

let kernels: Kernels;
beforeAll(async () => {
  kernels = await Kernels.load(400 * 400);
});

function grey(width: number, height: number): Frame {
  const chroma = ((width + 1) >> 1) * ((height + 1) >> 1);
  const data = new Uint8Array(width * height + 2 * chroma).fill(100);
  return { width, height, data, receivedAtMs: 0 };
}

/** Texels of one colour, opaque but for their edge. */
function texels(n: number, y: number, u: number, v: number): Uint8Array {
  const out = kernels.bytes(4 * n * n);
  for (let i = 0; i < n * n; i++) {
    const [px, py] = [i % n, Math.floor(i / n)];
    const rim = Math.min(px, py, n - 1 - px, n - 1 - py) === 0;
    out.set([y, u, v, rim ? 0 : 255], 4 * i);
  }
  return out;
}

function pasted(frame: Frame, what: Uint8Array, n: number, square: Square, strength: number): Frame {
  const { width, height } = frame;
  const region = kernels.load(frame, { x: 0, y: 0, width, height });
  const rect = region.paste(what, n, square, strength);
  if (rect !== null) region.store(frame, rect);
  return frame;
}

describe('paste', () => {
  test.each([
    [1, 200, 60],
    [0.5, 150, 80],
    [0, 100, 100],
  ])('at strength %d blends luma and chroma by as much', (strength, y, u) => {
    const frame = pasted(grey(80, 60), texels(64, 200, 60, 140), 64, { x: 40, y: 30, side: 40, angle: 0.3 }, strength);
    expect(frame.data[30 * 80 + 40]).toBe(y);
    expect(frame.data[80 * 60 + 15 * 40 + 20]).toBe(u);
  });

  test('touches nothing outside its square', () => {
    const square = { x: 41, y: 33, side: 30, angle: 0.5 };
    const { data } = pasted(grey(80, 60), texels(16, 250, 30, 220), 16, square, 1);
    let inside = 0;
    for (let i = 0; i < 80 * 60; i++) {
      const [dx, dy] = [(i % 80) + 0.5 - square.x, Math.floor(i / 80) + 0.5 - square.y];
      const along = Math.abs(dx * Math.cos(square.angle) + dy * Math.sin(square.angle));
      const across = Math.abs(dy * Math.cos(square.angle) - dx * Math.sin(square.angle));
      if (Math.max(along, across) >= 15) expect(data[i], `pixel ${i % 80}, ${Math.floor(i / 80)}`).toBe(100);
      else if (data[i] !== 100) inside++;
    }
    expect(inside).toBeGreaterThan(700);
  });

  test.each([
    [79, 59],
    [33, 64],
  ])('fills odd pictures to their last pixel (%d x %d)', (width, height) => {
    const square = { x: width / 2, y: height / 2, side: 3 * Math.max(width, height), angle: 0 };
    const { data } = pasted(grey(width, height), texels(32, 180, 70, 200), 32, square, 1);
    const luma = width * height;
    const chroma = ((width + 1) >> 1) * ((height + 1) >> 1);
    expect(new Set(data.subarray(0, luma))).toEqual(new Set([180]));
    expect(new Set(data.subarray(luma, luma + chroma))).toEqual(new Set([70]));
    expect(new Set(data.subarray(luma + chroma))).toEqual(new Set([200]));
  });

  test('of texels finer than the picture takes their mean, not one of them', () => {
    const n = 256;
    const stripes = texels(n, 0, 128, 128);
    for (let i = 0; i < n * n; i++) stripes[4 * i] = i % 2 === 0 ? 40 : 200;
    const { data } = pasted(grey(80, 60), stripes, n, { x: 40, y: 30, side: 40, angle: 0.2 }, 1);
    for (let x = 32; x < 48; x++) expect(Math.abs(data[30 * 80 + x]! - 120)).toBeLessThan(15);
  });

  test('beside the picture does nothing', () => {
    expect(pasted(grey(80, 60), texels(16, 0, 0, 0), 16, { x: 500, y: 30, side: 40, angle: 0 }, 1).data).toEqual(
      grey(80, 60).data,
    );
  });
});

describe('tiles and texels', () => {
  test.each([
    ['nchw', 'rgb', 1],
    ['nchw', 'bgr', 2],
    ['nhwc', 'bgr', 1],
    ['nhwc', 'rgb', 3],
  ] as const)('undo each other (%s, %s, %d)', (layout, order, k) => {
    const n = 8;
    const side = n * k;
    const [crop, out] = [kernels.floats(3 * side * side), kernels.floats(3 * side * side)];
    for (let i = 0; i < crop.length; i++) crop[i] = ((i * 37) % 101) / 101;
    const range = {
      mean: [0.485, 0.456, 0.406] as [number, number, number],
      std: [0.2, 0.3, 0.4] as [number, number, number],
    };
    const tiling = { n, k, layout: layoutOf({ layout, order }, n) };
    kernels.tiles(crop, tiling, rangeOf(range), out);
    const [matrix, mask, back] = [kernels.floats(16), kernels.bytes(side * side), kernels.bytes(4 * side * side)];
    for (let i = 0; i < mask.length; i++) mask[i] = i % 256;
    yuvMatrix(range, NO_CORRECTION, matrix);
    kernels.texels(out, tiling, { matrix, mask }, back);
    for (let i = 0; i < side * side; i++) {
      const [r, g, b] = [crop[3 * i]!, crop[3 * i + 1]!, crop[3 * i + 2]!];
      expect(Math.abs(back[4 * i]! - (16 + 65.481 * r + 128.553 * g + 24.966 * b))).toBeLessThan(0.51);
      expect(Math.abs(back[4 * i + 1]! - (128 - 37.797 * r - 74.203 * g + 112 * b))).toBeLessThan(0.51);
      expect(back[4 * i + 3]).toBe(i % 256);
    }
  });

  test('a tile takes every k-th pixel, so that each shows the whole', () => {
    const [crop, out] = [kernels.floats(3 * 16), kernels.floats(3 * 16)];
    for (let i = 0; i < 16; i++) crop.fill(i, 3 * i, 3 * i + 3);
    const plain = { mean: [0, 0, 0] as [number, number, number], std: [1, 1, 1] as [number, number, number] };
    const tiling = { n: 2, k: 2, layout: layoutOf({ layout: 'nchw', order: 'rgb' }, 2) };
    kernels.tiles(crop, tiling, rangeOf(plain), out);
    const reds = [0, 1, 2, 3].map((tile) => [...out.subarray(12 * tile, 12 * tile + 4)]);
    expect(reds).toEqual([
      [0, 2, 8, 10],
      [1, 3, 9, 11],
      [4, 6, 12, 14],
      [5, 7, 13, 15],
    ]);
  });
});

test('the box has no opacity at its edge, all of it further in, and is the same on each side', () => {
  const n = 64;
  const box = new Uint8Array(n * n);
  boxMask(n, box);
  for (let i = 0; i < n; i++)
    expect([box[i], box[n * (n - 1) + i], box[i * n], box[i * n + n - 1]]).toEqual([0, 0, 0, 0]);
  expect(box[n * 32 + 32]).toBe(255);
  expect(box[n * 12 + 32]).toBe(255);
  for (let y = 0; y < n; y++)
    for (let x = 0; x < n; x++) expect(box[y * n + x]).toBe(box[(n - 1 - y) * n + (n - 1 - x)]);
});
