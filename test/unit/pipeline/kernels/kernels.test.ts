import { beforeAll, describe, expect, test } from 'vitest';
import { compiledKernels, kernelMemory, OWN_BYTES } from '../../../../src/pipeline/kernels/compiled-kernels.ts';
import { TEXTURE_EDGE, VERTEX_FLOATS } from '../../../../src/pipeline/kernels/frame-region.ts';
import { Kernels } from '../../../../src/pipeline/kernels/kernels.ts';
import { cropToFrame, evenRect } from '../../../../src/shared/geometry.ts';
import type { Frame } from '../../../../src/shared/types.ts';

/** A repeatable random number, 0..1 (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Smooth waves with a little noise, so that a sample in the wrong place shows. */
function picture(width: number, height: number, random: () => number): Frame {
  const [cw, ch] = [(width + 1) >> 1, (height + 1) >> 1];
  const data = new Uint8Array(width * height + 2 * cw * ch);
  const [fx, fy] = [0.02 + 0.1 * random(), 0.02 + 0.1 * random()];
  for (let i = 0; i < width * height; i++)
    data[i] = 120 + 70 * Math.sin(fx * (i % width)) * Math.cos(fy * Math.floor(i / width)) + 4 * random();
  for (let i = 0; i < 2 * cw * ch; i++)
    data[width * height + i] = 128 + 40 * Math.sin(0.03 * (i % cw) + 0.02 * Math.floor((i % (cw * ch)) / cw));
  return { width, height, data, receivedAtMs: 0 };
}

const SIZES = [
  [64, 64],
  [33, 47],
  [101, 57],
  [640, 361],
  [17, 200],
] as const;
let kernels: Kernels;
beforeAll(async () => {
  kernels = await Kernels.load(1920 * 1088);
});

describe.each(SIZES)('at %i x %i', (width, height) => {
  test('what is loaded is stored again unchanged, and nothing beside it', () => {
    const random = seeded(width * height);
    const frame = picture(width, height, random);
    const before = frame.data.slice();
    const rect = {
      x: 2 * Math.floor((random() * width) / 8),
      y: 2 * Math.floor((random() * height) / 8),
      width: 0,
      height: 0,
    };
    rect.width = width - rect.x;
    rect.height = height - rect.y;
    const region = kernels.load(frame, rect);
    frame.data.fill(7);
    region.store(frame, rect);
    kernels.load(frame, { x: 0, y: 0, width, height });
    const [cw, cx, cy] = [(width + 1) >> 1, rect.x >> 1, rect.y >> 1];
    const luma = width * height;
    for (let i = 0; i < frame.data.length; i++) {
      const plane = i < luma ? i : (i - luma) % (cw * ((height + 1) >> 1));
      const [w, x, y] = i < luma ? [width, rect.x, rect.y] : [cw, cx, cy];
      const inside = plane % w >= x && Math.floor(plane / w) >= y;
      if (frame.data[i] !== (inside ? before[i] : 7)) expect.fail(`byte ${i}`);
    }
  });

  test('a part of what is loaded is stored, and nothing beside it', () => {
    const random = seeded(width + height);
    const side = (most: number): number => Math.floor(random() * most);
    for (let k = 0; k < 8; k++) {
      const frame = picture(width, height, random);
      const region = kernels.load(frame, { x: 0, y: 0, width, height });
      const before = frame.data.slice();
      const [x0, y0] = [side(width), side(height)];
      const rect = evenRect([x0, y0, x0 + 1 + side(width), y0 + 1 + side(height)], width, height)!;
      frame.data.fill(7);
      region.store(frame, rect);
      const [cw, luma] = [(width + 1) >> 1, width * height];
      for (let i = 0; i < frame.data.length; i++) {
        const shift = i < luma ? 0 : 1;
        const plane = i < luma ? i : (i - luma) % (cw * ((height + 1) >> 1));
        const [column, row] = [plane % (i < luma ? width : cw), Math.floor(plane / (i < luma ? width : cw))];
        const [x, y] = [column - (rect.x >> shift), row - (rect.y >> shift)];
        const inside = x >= 0 && y >= 0 && x < (rect.width + shift) >> shift && y < (rect.height + shift) >> shift;
        if (frame.data[i] !== (inside ? before[i] : 7)) expect.fail(`byte ${i} of ${JSON.stringify(rect)}`);
      }
    }
  });

  test('a crop is what a plain bilinear sampler gives', () => {
    const random = seeded(width + height);
    const frame = picture(width, height, random);
    const n = 47 + (width % 4);
    const out = kernels.floats(n * n * 3);
    for (let round = 0; round < 5; round++) {
      // Below 1.2 pixels a sample nothing is shrunk first, so the sampler can be compared as it is.
      const square = {
        x: random() * width,
        y: random() * height,
        side: n * (0.4 + 0.7 * random()),
        angle: 6 * random(),
      };
      const region = kernels.load(frame, { x: 0, y: 0, width, height });
      region.crop(square, { values: out, n }, 2, -1);
      const expected = plainCrop(frame, square, n).map((value) => 2 * value - 1);
      let worst = 0;
      for (let i = 0; i < out.length; i++) worst = Math.max(worst, Math.abs(out[i]! - expected[i]!));
      // Sixteen-bit steps, chroma shared by two columns and its nearest pixel at a tie leave a little.
      expect(worst).toBeLessThan(0.06);
    }
  });
});

test('a region is of no use once another is loaded', () => {
  const frame = picture(64, 64, seeded(2));
  const rect = { x: 0, y: 0, width: 64, height: 64 };
  const stale = kernels.load(frame, rect);
  expect(stale.isLoaded).toBe(true);
  const region = kernels.load(frame, { x: 8, y: 8, width: 32, height: 32 });
  expect([stale.isLoaded, region.isLoaded]).toEqual([false, true]);
  expect(region.generation).toBe(stale.generation + 1);
  const before = frame.data.slice();
  const out = { values: kernels.floats(8 * 8 * 3), n: 8 };
  const vertices = kernels.floats(3 * VERTEX_FLOATS);
  const triangle = kernels.indices([0, 1, 2]);
  const square = { x: 20, y: 20, side: 10, angle: 0 };
  for (const use of [
    () => stale.requireLoaded(),
    () => stale.crop(square, out),
    () => stale.store(frame, rect),
    () => stale.keep(),
    () => stale.warpKept(vertices, triangle),
    () => stale.paste(kernels.bytes(256), 8, square, 1),
  ])
    expect(use).toThrow(expect.objectContaining({ code: 'kernel_order' }));
  expect(frame.data).toEqual(before);
});

test('a crop that shrinks keeps the mean of what it shrinks', () => {
  const frame = picture(1280, 720, seeded(1));
  const n = 64;
  const out = kernels.floats(n * n * 3);
  const region = kernels.load(frame, { x: 0, y: 0, width: 1280, height: 720 });
  region.crop({ x: 640, y: 360, side: 700, angle: 0 }, { values: out, n });
  const mean = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0) / values.length;
  expect(mean(out)).toBeCloseTo(mean(plainCrop(frame, { x: 640, y: 360, side: 700, angle: 0 }, 350)), 1.5);
});

function plainCrop(
  { width, height, data }: Frame,
  square: { x: number; y: number; side: number; angle: number },
  n: number,
): number[] {
  const { a, b, tx, ty } = cropToFrame(square, n);
  const [cw, ch] = [(width + 1) >> 1, (height + 1) >> 1];
  const clamp = (v: number, hi: number): number => Math.min(hi, Math.max(0, v));
  const at = (x: number, y: number): number => data[clamp(y, height - 1) * width + clamp(x, width - 1)]!;
  const out: number[] = [];
  for (let j = 0; j < n; j++) {
    for (let i = 0; i < n; i++) {
      const [u, v] = [i + 0.5, j + 0.5];
      const [x, y] = [a * u - b * v + tx, b * u + a * v + ty];
      const [fx, fy] = [clamp(x - 0.5, width - 1), clamp(y - 0.5, height - 1)];
      const [x0, y0] = [Math.floor(fx), Math.floor(fy)];
      const top = at(x0, y0) + (at(x0 + 1, y0) - at(x0, y0)) * (fx - x0);
      const low = at(x0, y0 + 1) + (at(x0 + 1, y0 + 1) - at(x0, y0 + 1)) * (fx - x0);
      const luma = (255 / 219) * (top + (low - top) * (fy - y0) - 16);
      const cell = clamp(Math.floor(y / 2), ch - 1) * cw + clamp(Math.floor(x / 2), cw - 1);
      const [cb, cr] = [data[width * height + cell]! - 128, data[width * height + cw * ch + cell]! - 128];
      for (const value of [luma + 1.596027 * cr, luma - 0.391762 * cb - 0.812968 * cr, luma + 2.017232 * cb])
        out.push(clamp(value / 255, 1));
    }
  }
  return out;
}

describe('a warp', () => {
  const [width, height] = [97, 81];
  const random = seeded(9);
  const corners = [
    [3.2, 3.1],
    [90.3, 8.4],
    [80.7, 75.2],
    [10.1, 70.6],
    [45.4, 40.3],
  ] as const;
  const triangles = [0, 1, 4, 1, 2, 4, 2, 3, 4, 3, 0, 4];

  function draw(
    alpha: number,
    gain: number,
    offset: number,
    saturation = gain,
  ): { before: Uint8Array; after: Uint8Array; inside: boolean[] } {
    const frame = picture(width, height, random);
    const before = frame.data.slice();
    const texture = kernels.texture(128);
    for (const plane of [texture.y, texture.u, texture.v]) plane.fill(100);
    const vertices = kernels.floats(corners.length * VERTEX_FLOATS);
    for (const [i, [x, y]] of corners.entries()) {
      vertices.set([x, y, x, y, alpha, offset, offset, offset, 1], i * VERTEX_FLOATS);
    }
    const region = kernels.load(frame, { x: 0, y: 0, width, height });
    region.warp(vertices, kernels.indices(triangles), { gain, saturation }, texture);
    region.store(frame, { x: 0, y: 0, width, height });
    kernels.release(texture);
    const outline = corners.slice(0, 4);
    const inside = Array.from({ length: width * height }, (_, p) => {
      const [x, y] = [(p % width) + 0.5, Math.floor(p / width) + 0.5];
      return outline.every(([ax, ay], k) => {
        const [bx, by] = outline[(k + 1) % 4]!;
        return (bx - ax) * (y - ay) - (by - ay) * (x - ax) >= 0;
      });
    });
    return { before, after: frame.data, inside };
  }

  test('multiplies luma by the gain and chroma by the saturation', () => {
    const { before, after, inside } = draw(1, 1.2, 10, 0.5);
    const middle = Math.floor(height / 2) * width + Math.floor(width / 2);
    expect(inside[middle]).toBe(true);
    expect(after[middle]).toBe(130);
    const [cw, ch] = [(width + 1) >> 1, (height + 1) >> 1];
    for (const plane of [0, 1]) {
      const at = width * height + plane * cw * ch + Math.floor(ch / 2) * cw + Math.floor(cw / 2);
      expect(before[at]).not.toBe(60);
      expect(after[at]).toBe(60);
    }
  });

  test('blends every pixel inside exactly once and leaves the others alone', () => {
    const { before, after, inside } = draw(0.5, 1.2, 10);
    for (let p = 0; p < width * height; p++) {
      const expected = inside[p] ? Math.floor(before[p]! + 0.5 * (100 * 1.2 + 10 - before[p]!) + 0.5) : before[p]!;
      // A pixel blended twice or not at all is off by far more than a rounding.
      if (Math.abs(after[p]! - expected) > 1)
        expect.fail(`pixel ${p % width}, ${Math.floor(p / width)}: ${after[p]} instead of ${expected}`);
    }
  });

  test('takes every texel from where its corners say, in each plane', () => {
    const frame = picture(width, height, random);
    const texture = kernels.texture(128);
    for (const [plane, size] of [
      [texture.y, 128],
      [texture.u, 64],
      [texture.v, 64],
    ] as const)
      for (let i = 0; i < plane.length; i++) plane[i] = (255 * (i % size)) / size;
    const vertices = kernels.floats(corners.length * VERTEX_FLOATS);
    for (const [i, [x, y]] of corners.entries()) vertices.set([x, y, 1.3 * x, y, 1, 0, 0, 0, 1], i * VERTEX_FLOATS);
    const region = kernels.load(frame, { x: 0, y: 0, width, height });
    region.warp(vertices, kernels.indices(triangles), { gain: 1, saturation: 1 }, texture);
    region.store(frame, { x: 0, y: 0, width, height });
    kernels.release(texture);
    for (let y = 20; y < 60; y++) {
      for (let x = 20; x < 70; x++) {
        const expected = (255 * (1.3 * (x + 0.5) - 0.5)) / 128;
        expect(Math.abs(frame.data[y * width + x]! - expected)).toBeLessThan(1.6);
        const half = (255 * (1.3 * ((x >> 1) + 0.5) - 0.5)) / 64;
        const chroma = width * height + (y >> 1) * ((width + 1) >> 1) + (x >> 1);
        expect(Math.abs(frame.data[chroma]! - half)).toBeLessThan(2.6);
        expect(frame.data[chroma + ((width + 1) >> 1) * ((height + 1) >> 1)]).toBe(frame.data[chroma]);
      }
    }
  });

  test('of what was kept, at its own place, changes nothing', () => {
    const frame = picture(width, height, random);
    const before = frame.data.slice();
    const vertices = kernels.floats(corners.length * VERTEX_FLOATS);
    for (const [i, [x, y]] of corners.entries()) vertices.set([x, y, x, y, 1, 0, 0, 0, 1], i * VERTEX_FLOATS);
    const region = kernels.load(frame, { x: 0, y: 0, width, height });
    region.keep();
    region.warpKept(vertices, kernels.indices(triangles));
    region.store(frame, { x: 0, y: 0, width, height });
    expect(Math.max(...before.map((value, i) => Math.abs(value - frame.data[i]!)))).toBeLessThanOrEqual(1);
  });

  test('is given back where the mask says, bit for bit', () => {
    const frame = picture(width, height, random);
    const before = frame.data.slice();
    const texture = kernels.texture(128);
    const vertices = kernels.floats(corners.length * VERTEX_FLOATS);
    for (const [i, [x, y]] of corners.entries()) vertices.set([x, y, x, y, 1, 0, 0, 0, 1], i * VERTEX_FLOATS);
    // The left half of a 16² mask over the 128² texture.
    const mask = kernels.bytes(256);
    mask.set(Array.from({ length: 256 }, (_, i) => (i % 16 < 6 ? 255 : 0)));
    const region = kernels.load(frame, { x: 0, y: 0, width, height });
    region.keep();
    region.warp(vertices, kernels.indices(triangles), { gain: 1, saturation: 1 }, texture);
    const drawn = { ...frame, data: frame.data.slice() };
    region.store(drawn, { x: 0, y: 0, width, height });
    const area = { x: 0, y: 0, width: 6, height: 16 };
    region.restore(vertices, kernels.indices(triangles), { opacity: mask, size: 16, area }, 128);
    region.store(frame, { x: 0, y: 0, width, height });
    kernels.release(texture);
    for (let p = 0; p < width * height; p++) {
      const x = p % width;
      if (x < 43) expect(frame.data[p]).toBe(before[p]);
      if (x > 53) expect(frame.data[p]).toBe(drawn.data[p]);
    }
  });

  test('of a mesh that reaches beyond the picture blends every pixel exactly once, whatever its triangles', () => {
    const side = 9;
    for (let round = 0; round < 20; round++) {
      const frame = picture(width, height, random);
      const before = frame.data.slice();
      const texture = kernels.texture(128);
      for (const plane of [texture.y, texture.u, texture.v]) plane.fill(200);
      const vertices = kernels.floats(side * side * VERTEX_FLOATS);
      const indices: number[] = [];
      for (let i = 0; i < side * side; i++) {
        const [column, row] = [i % side, Math.floor(i / side)];
        const free = column === 0 || row === 0 || column === side - 1 || row === side - 1 ? 0 : 6;
        const [x, y] = [column * 16 - 14 + free * (random() - 0.5), row * 14 - 14 + free * (random() - 0.5)];
        vertices.set([x, y, 1 + column * 15, 1 + row * 15, 0.5, 0, 0, 0, 1], i * VERTEX_FLOATS);
        if (column === side - 1 || row === side - 1) continue;
        const [b, c, d] = [i + 1, i + side, i + side + 1];
        indices.push(...(random() < 0.5 ? [i, b, c, b, d, c] : [i, b, d, i, d, c]));
      }
      const region = kernels.load(frame, { x: 0, y: 0, width, height });
      region.warp(vertices, kernels.indices(indices), { gain: 1, saturation: 1 }, texture);
      region.store(frame, { x: 0, y: 0, width, height });
      kernels.release(texture);
      const wrong = before.findIndex((was, i) => Math.abs(frame.data[i]! - (was + 200) / 2) > 1);
      expect(wrong).toBe(-1);
    }
  });

  test('at the very edge of the texture takes what lies there', () => {
    const texture = kernels.texture(128);
    // Each row and column has its own value, and the first texel, where a wrong place ends up, is like no other.
    for (let i = 0; i < texture.y.length; i++) texture.y[i] = 60 + Math.floor((i % 128) / 2) + Math.floor(i / 256);
    texture.y[0] = 255;
    texture.u.fill(128);
    texture.v.fill(128);
    const vertices = kernels.floats(corners.length * VERTEX_FLOATS);
    for (const [name, t, value] of [
      ['upper', TEXTURE_EDGE, 60],
      ['lower', 128 - TEXTURE_EDGE, 60 + 63],
    ] as const) {
      const frame = picture(width, height, random);
      for (const [i, [x, y]] of corners.entries()) vertices.set([x, y, 4 + x, t, 1, 0, 0, 0, 1], i * VERTEX_FLOATS);
      const region = kernels.load(frame, { x: 0, y: 0, width, height });
      region.warp(vertices, kernels.indices(triangles), { gain: 1, saturation: 1 }, texture);
      region.store(frame, { x: 0, y: 0, width, height });
      for (let y = 20; y < 60; y++)
        for (let x = 20; x < 70; x++) {
          const off = frame.data[y * width + x]! - (value + (x + 4) / 2);
          if (Math.abs(off) > 1.5) expect.fail(`${name} edge, pixel ${x}, ${y}: off by ${off}`);
        }
    }
    kernels.release(texture);
  });

  test('of vertices from nowhere stays within its memory', () => {
    const wild = [Number.NaN, Number.POSITIVE_INFINITY, -1e30, 1e30, 3e6, -5000, 1e-7, 40, 40.00001, 127];
    const texture = kernels.texture(128);
    const guard = kernels.texture(128);
    guard.y.fill(77);
    const vertices = kernels.floats(wild.length * wild.length * VERTEX_FLOATS);
    const indices: number[] = [];
    for (let i = 0; i < wild.length ** 2; i++) {
      const any = (): number => wild[Math.floor(random() * wild.length)]!;
      vertices.set([any(), any(), any(), any(), 1, 0, 0, 0, 1], i * VERTEX_FLOATS);
    }
    for (let k = 0; k < 6000; k++) indices.push(Math.floor(random() * wild.length ** 2));
    const region = kernels.load(picture(width, height, random), { x: 0, y: 0, width, height });
    expect(() => region.warp(vertices, kernels.indices(indices), { gain: 1, saturation: 1 }, texture)).not.toThrow();
    expect(guard.y.every((value) => value === 77)).toBe(true);
    kernels.release(texture);
    kernels.release(guard);
  });

  test('with no opacity changes nothing', () => {
    const { before, after } = draw(0, 1, 50);
    expect(after).toEqual(before);
  });

  test('keeps bytes within bounds', () => {
    expect(Math.max(...draw(1, 3, 200).after)).toBe(255);
    expect(Math.min(...draw(1, 1, -400).after)).toBe(0);
  });
});

test('colours at places on a mesh are those of the tensor there', () => {
  const n = 16;
  const tensor = kernels.floats(n * n * 3);
  // Red grows to the right, green downwards.
  for (let i = 0; i < n * n; i++) tensor.set([(i % n) / n, Math.floor(i / n) / n, 0.5], 3 * i);
  const points = kernels.floats(6);
  points.set([2, 3, 12, 4, 5, 13]);
  const weights = [0.2, 0.5, 0.3] as const;
  const places = kernels.places([{ corners: [0, 1, 2], weights }]);
  const out = kernels.floats(3);
  kernels.coloursAt({ values: tensor, n }, points, places, out);
  const [x, y] = [0.2 * 2 + 0.5 * 12 + 0.3 * 5, 0.2 * 3 + 0.5 * 4 + 0.3 * 13];
  const [r, g, b] = [(x - 0.5) / n, (y - 0.5) / n, 0.5];
  expect(out[0]).toBeCloseTo(16 + 65.481 * r + 128.553 * g + 24.966 * b, 3);
  expect(out[1]).toBeCloseTo(128 - 37.797 * r - 74.203 * g + 112 * b, 3);
  expect(out[2]).toBeCloseTo(128 + 112 * r - 93.786 * g - 18.214 * b, 3);
});

test('means about points are those of a plain loop, edges repeated', () => {
  const [n, radius] = [40, 3];
  const random = seeded(5);
  const tensor = kernels.floats(n * n * 3);
  for (let i = 0; i < tensor.length; i++) tensor[i] = random();
  const points = kernels.floats(120);
  // Some lie at the edges and beyond.
  for (let i = 0; i < points.length; i++) points[i] = (n + 8) * random() - 4;
  const means = kernels.floats(180);
  kernels.meansAt({ values: tensor, n }, { values: points, stride: 2, radius }, means);
  const inside = (value: number): number => Math.min(n - 1, Math.max(0, value));
  for (let k = 0; k < 60; k++) {
    const sum = [0, 0, 0];
    for (let dy = -radius; dy <= radius; dy++)
      for (let dx = -radius; dx <= radius; dx++) {
        const [x, y] = [inside(Math.floor(points[2 * k]!) + dx), inside(Math.floor(points[2 * k + 1]!) + dy)];
        for (let c = 0; c < 3; c++) sum[c]! += tensor[3 * (y * n + x) + c]! / (2 * radius + 1) ** 2;
      }
    for (let c = 0; c < 3; c++) expect(means[3 * k + c]).toBeCloseTo(sum[c]!, 4);
  }
});

test('the kernels’ own tables fit into what a memory has for them', async () => {
  const { exports } = new WebAssembly.Instance(await compiledKernels(), { env: { memory: kernelMemory(0) } });
  expect((exports as { ownBytes(): number }).ownBytes()).toBeLessThanOrEqual(OWN_BYTES);
});
