/** Each pixel kernel and the plain loop that it replaces, measured alternately. */

import path from 'node:path';
import { root } from '../../src/lib/package-root.ts';
import { ATLAS, atlasPoints } from '../../src/pipeline/engines/mesh/source/atlas-layout.ts';
import { POINTS, readTopology, type Topology } from '../../src/pipeline/face/topology.ts';
import { showPart } from '../../src/pipeline/framing/show-part.ts';
import { VERTEX_FLOATS } from '../../src/pipeline/kernels/frame-region.ts';
import { Kernels } from '../../src/pipeline/kernels/kernels.ts';
import { readCatalogue } from '../../src/pipeline/models/catalogue.ts';
import { cropToFrame, type Rect } from '../../src/shared/geometry.ts';
import type { Frame } from '../../src/shared/types.ts';
import { ratio, spread } from './bench-machine.ts';

const ROUNDS = 150;
const CROP = 192;
const SIDE = 480;

/** One kernel at one size. */
export interface KernelFigures {
  kernel: string;
  /** p50 in microseconds, as `plainUs`. */
  kernelUs: number;
  plainUs: number;
  timesFaster: number;
}

/** Takes a few seconds; everything runs on this thread. */
export async function benchKernels(): Promise<KernelFigures[]> {
  const catalogue = readCatalogue(path.join(root, 'models'));
  const topology = readTopology(catalogue.read(catalogue.forRole('face-geometry')));
  const kernels = await Kernels.load(1920 * 1088);
  const frame: Frame = { width: SIDE, height: SIDE, data: new Uint8Array(SIDE * SIDE * 1.5), receivedAtMs: 0 };
  for (let i = 0; i < frame.data.length; i++) frame.data[i] = 60 + ((i * 7) % 120);
  const whole = { x: 0, y: 0, width: SIDE, height: SIDE };
  const region = kernels.load(frame, whole);
  const tensor = kernels.floats(CROP * CROP * 3);
  const figures: KernelFigures[] = [];
  for (const side of [300, 450]) {
    const square = { x: SIDE / 2, y: SIDE / 2, side, angle: 0.1 };
    const fast = (): void => region.crop(square, { values: tensor, n: CROP });
    figures.push(compare(`crop ${side} → 192`, fast, () => plainCrop(frame, square)));
  }
  const skin = kernels.indices(topology.skin);
  const texture = kernels.texture(ATLAS);
  for (const plane of [texture.y, texture.u, texture.v]) plane.fill(120);
  for (const width of [150, 300]) {
    const vertices = face(kernels, topology, width);
    const fast = (): void => region.warp(vertices, skin, { gain: 1, saturation: 1 }, texture);
    figures.push(compare(`warp, face ${width} wide`, fast, () => plainWarp(frame, vertices, topology.skin, texture.y)));
  }
  for (const [width, height] of [
    [640, 480],
    [1280, 720],
  ] as const) {
    const picture = { width, height, data: new Uint8Array(width * height * 1.5).fill(120), receivedAtMs: 0 };
    const view = { x: width / 8 + 0.3, y: height / 8 + 0.4, width: width / 1.5, height: height / 1.5 };
    const plain = (): void => plainPart(picture, view);
    figures.push(compare(`part of ${width}x${height}`, () => showPart(kernels, picture, view), plain));
  }
  return figures;
}

function compare(kernel: string, fast: () => void, plain: () => void): KernelFigures {
  const [kernelMs, plainMs]: [number[], number[]] = [[], []];
  for (let round = -30; round < ROUNDS; round++) {
    const times = [fast, plain].map((run) => {
      const beganMs = performance.now();
      run();
      return performance.now() - beganMs;
    }) as [number, number];
    if (round < 0) continue;
    kernelMs.push(times[0]);
    plainMs.push(times[1]);
  }
  const [kernelUs, plainUs] = [Math.round(1000 * spread(kernelMs).p50), Math.round(1000 * spread(plainMs).p50)];
  return { kernel, kernelUs, plainUs, timesFaster: ratio(plainUs, kernelUs) };
}

/** The canonical face, looking into the camera. */
function face(kernels: Kernels, topology: Topology, width: number): Float32Array {
  const vertices = kernels.floats(POINTS * VERTEX_FLOATS);
  const at = atlasPoints(topology);
  const xs = topology.vertices.filter((_, i) => i % 3 === 0);
  const scale = width / (Math.max(...xs) - Math.min(...xs));
  for (let i = 0; i < POINTS; i++) {
    const [x, y] = [topology.vertices[3 * i]! * scale, -topology.vertices[3 * i + 1]! * scale];
    vertices.set([SIDE / 2 + x, SIDE / 2 + y, at[2 * i]!, at[2 * i + 1]!, 0.9, 2, 0, 0, 1], i * VERTEX_FLOATS);
  }
  return vertices;
}

const plainTensor = new Float32Array(CROP * CROP * 3);

function plainCrop({ width, height, data }: Frame, square: Parameters<typeof cropToFrame>[0]): void {
  const { a, b, tx, ty } = cropToFrame(square, CROP);
  const cw = width / 2;
  for (let j = 0, o = 0; j < CROP; j++) {
    for (let i = 0; i < CROP; i++, o += 3) {
      const x = Math.min(width - 1.01, Math.max(0, a * (i + 0.5) - b * (j + 0.5) + tx - 0.5));
      const y = Math.min(height - 1.01, Math.max(0, b * (i + 0.5) + a * (j + 0.5) + ty - 0.5));
      const [xi, yi] = [Math.floor(x), Math.floor(y)];
      const [fx, fy] = [x - xi, y - yi];
      const at = yi * width + xi;
      const top = data[at]! + (data[at + 1]! - data[at]!) * fx;
      const low = data[at + width]! + (data[at + width + 1]! - data[at + width]!) * fx;
      const luma = 1.164 * (top + (low - top) * fy - 16);
      const cell = width * height + (yi >> 1) * cw + (xi >> 1);
      const [u, v] = [data[cell]! - 128, data[cell + cw * (height / 2)]! - 128];
      plainTensor[o] = (luma + 1.596 * v) / 255;
      plainTensor[o + 1] = (luma - 0.392 * u - 0.813 * v) / 255;
      plainTensor[o + 2] = (luma + 2.017 * u) / 255;
    }
  }
}

const plainLuma = new Uint8Array(1280 * 720);

/** Enlarges the luma plane only: two thirds of what the kernel does. */
function plainPart({ width, height, data }: Frame, view: Rect): void {
  const step = view.width / width;
  for (let j = 0, o = 0; j < height; j++) {
    const y = view.y + (j + 0.5) * step - 0.5;
    const yi = Math.floor(y);
    for (let i = 0; i < width; i++, o++) {
      const x = view.x + (i + 0.5) * step - 0.5;
      const xi = Math.floor(x);
      const at = yi * width + xi;
      const top = data[at]! + (data[at + 1]! - data[at]!) * (x - xi);
      const low = data[at + width]! + (data[at + width + 1]! - data[at + width]!) * (x - xi);
      plainLuma[o] = top + (low - top) * (y - yi);
    }
  }
}

/** Draws the luma plane only: half of what the kernel does. */
function plainWarp(
  { width, height, data }: Frame,
  vertices: Float32Array,
  triangles: Uint16Array,
  texture: Uint8Array,
): void {
  for (let t = 0; t < triangles.length; t += 3) {
    const [i, j, k] = [
      triangles[t]! * VERTEX_FLOATS,
      triangles[t + 1]! * VERTEX_FLOATS,
      triangles[t + 2]! * VERTEX_FLOATS,
    ];
    const [ax, ay, bx, by] = [vertices[i]!, vertices[i + 1]!, vertices[j]!, vertices[j + 1]!];
    const [cx, cy] = [vertices[k]!, vertices[k + 1]!];
    const area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay);
    if (area === 0) continue;
    const mix = (at: number, q: number, r: number): number =>
      vertices[i + at]! * (1 - q - r) + vertices[j + at]! * q + vertices[k + at]! * r;
    for (let y = Math.max(0, Math.floor(Math.min(ay, by, cy))); y <= Math.min(height - 1, Math.max(ay, by, cy)); y++) {
      for (let x = Math.max(0, Math.floor(Math.min(ax, bx, cx))); x <= Math.min(width - 1, Math.max(ax, bx, cx)); x++) {
        const q = ((x + 0.5 - ax) * (cy - ay) - (cx - ax) * (y + 0.5 - ay)) / area;
        const r = ((bx - ax) * (y + 0.5 - ay) - (x + 0.5 - ax) * (by - ay)) / area;
        if (q < 0 || r < 0 || q + r > 1) continue;
        const [s, u] = [Math.floor(mix(2, q, r)), Math.floor(mix(3, q, r))];
        const at = y * width + x;
        data[at] = data[at]! + mix(4, q, r) * (texture[u * ATLAS + s]! + mix(5, q, r) - data[at]!);
      }
    }
  }
}
