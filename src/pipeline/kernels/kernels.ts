/**
 * The typed face of the pixel kernels (assembly/index.ts). One instance a lane. Its memory is fixed at the start and
 * holds the part of the frame that is worked on and every model's input, so a model reads what a kernel wrote without
 * a copy between them.
 */

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { root } from '../../lib/package-root.ts';
import { FaceOffError } from '../../shared/errors.ts';
import { boundsOf, cropToFrame, inverse, type Rect, type Square } from '../../shared/geometry.ts';
import type { Frame } from '../../shared/types.ts';

type Numbers = (...numbers: number[]) => void;
interface Exports extends Record<string, unknown> {
  ownBytes: () => number;
  halve: Numbers;
  cropToTensor: Numbers;
  touch: Numbers;
  meansAt: Numbers;
  coloursAt: Numbers;
  warp: Numbers;
  restore: Numbers;
  tiles: Numbers;
  texels: Numbers;
  paste: Numbers;
}

/** How a model lays out pictures of n x n: bytes to the next pixel, and to the first red, green and blue. */
export interface Layout {
  pixel: number;
  r: number;
  g: number;
  b: number;
}

/** Floats of one vertex of a warp: x, y, s, t, alpha, then what is added to Y, U and V. */
export const VERTEX_FLOATS = 8;

/** How near to its texture's edges a vertex may lie, in texels: half a texel, and some for what rounding does to it. */
export const TEXTURE_EDGE = 0.51;

/** A place on a mesh: three corners and their weights, which sum to 1. */
export interface MeshPoint {
  corners: readonly [number, number, number];
  weights: readonly [number, number, number];
}

/** A square I420 texture in kernel memory: `size`² luma, two (size/2)² chroma planes. */
export interface Texture {
  size: number;
  y: Uint8Array;
  u: Uint8Array;
  v: Uint8Array;
}

/** What a texture's luma and chroma are multiplied by. */
export interface Gains {
  gain: number;
  saturation: number;
}

/** value · gain + bias, for red, green and blue. */
export interface Range {
  gain: readonly [number, number, number];
  bias: readonly [number, number, number];
}

interface Plane {
  at: number;
  stride: number;
  width: number;
  height: number;
}

/** Bytes for tensors, vertices and textures beside the frame: the models' inputs take under 2 MiB, textures the rest. */
const WORKING_BYTES = 24 * 2 ** 20;
const PAGE = 65536;
const PLACE_BYTES = 20;
/** The luma pyramid: full size, then halves, down to an eighth. */
const LEVELS = 4;

export class Kernels {
  readonly memory: WebAssembly.Memory;
  readonly maxPixels: number;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #run: Exports;
  #top: number;
  readonly #spare: Texture[] = [];

  /** What of the frame is in memory now; null before the first load. */
  #rect: Rect | null = null;
  readonly #luma: Plane[];
  readonly #u: Plane = { at: 0, stride: 0, width: 0, height: 0 };
  readonly #v: Plane = { at: 0, stride: 0, width: 0, height: 0 };
  /** What the region looked like when `keep` was called: planes of the same shape as the region's. */
  readonly #kept: number[];
  /** How many levels of the pyramid are filled for the region in memory. */
  #halved = 0;

  private constructor(memory: WebAssembly.Memory, run: Exports, maxPixels: number) {
    this.memory = memory;
    this.maxPixels = maxPixels;
    this.#bytes = new Uint8Array(memory.buffer);
    this.#words = new Int32Array(memory.buffer);
    this.#run = run;
    this.#top = run.ownBytes();
    // Rows are padded to 16 bytes so that a SIMD load at a row's end stays inside the plane.
    const padded = Math.ceil(maxPixels * 1.1) + 64 * 1024;
    this.#luma = Array.from({ length: LEVELS }, (_, k) => ({
      at: this.#take(padded >> (2 * k)),
      stride: 0,
      width: 0,
      height: 0,
    }));
    this.#u.at = this.#take(padded / 2);
    this.#v.at = this.#take(padded / 2);
    this.#kept = [padded, padded / 2, padded / 2].map((bytes) => this.#take(bytes));
  }

  /**
   * @param maxPixels largest frame, in luma pixels; memory is about 4.5 bytes for each.
   * @param workingBytes for tensors, vertices and textures beside it.
   */
  static async load(maxPixels: number, workingBytes = WORKING_BYTES): Promise<Kernels> {
    const planes = Math.ceil((maxPixels * 1.1 + 64 * 1024) * 4.5);
    const pages = Math.ceil((planes + workingBytes) / PAGE);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const code = await readFile(path.join(root, 'dist/kernels.wasm'));
    const { instance } = await WebAssembly.instantiate(code, { env: { memory } });
    return new Kernels(memory, instance.exports as unknown as Exports, maxPixels);
  }

  #take(bytes: number): number {
    const at = this.#top;
    this.#top = Math.ceil((at + bytes + 64) / 64) * 64;
    if (this.#top > this.#bytes.length)
      throw new FaceOffError('kernel_memory', 'The kernels have no memory left for another buffer.');
    return at;
  }

  /** A float buffer inside kernel memory, for good. */
  floats(count: number): Float32Array<ArrayBuffer> {
    return new Float32Array(this.memory.buffer, this.#take(count * 4), count);
  }

  /** A byte buffer inside kernel memory, for good. */
  bytes(count: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.memory.buffer, this.#take(count), count);
  }

  /** Triangle indices inside kernel memory, for good. */
  indices(values: ArrayLike<number>): Uint16Array<ArrayBuffer> {
    const view = new Uint16Array(this.memory.buffer, this.#take(values.length * 2), values.length);
    view.set(values);
    return view;
  }

  /** A texture inside kernel memory, its contents undefined; give it back with `release`. */
  texture(size: number): Texture {
    const spare = this.#spare.findIndex((texture) => texture.size === size);
    if (spare >= 0) return this.#spare.splice(spare, 1)[0]!;
    const plane = (n: number): Uint8Array => new Uint8Array(this.memory.buffer, this.#take(n * n + 64), n * n);
    return { size, y: plane(size), u: plane(size / 2), v: plane(size / 2) };
  }

  release(texture: Texture): void {
    this.#spare.push(texture);
  }

  /**
   * Brings a part of the frame into memory; crop and warp then work on it.
   * @param rect even corners, inside the frame (geometry.evenRect).
   * @throws FaceOffError `frame_too_large` above the pixels that the memory was made for.
   */
  load(frame: Frame, rect: Rect): void {
    if (rect.width * rect.height > this.maxPixels) {
      const size = `${rect.width}x${rect.height}`;
      throw new FaceOffError(
        'frame_too_large',
        `A part of ${size} pixels is larger than limits.frameWidth and frameHeight allow.`,
      );
    }
    this.#rect = rect;
    this.#halved = 1;
    shape(this.#luma[0]!, rect.width, rect.height);
    shape(this.#u, (rect.width + 1) >> 1, (rect.height + 1) >> 1);
    shape(this.#v, (rect.width + 1) >> 1, (rect.height + 1) >> 1);
    // Views made anew: `subarray` looks for a species first and takes half as long again.
    const { buffer, byteOffset } = frame.data;
    for (const { plane, offset, stride, x, y } of this.#sides(frame, rect)) {
      for (let row = 0; row < plane.height; row++) {
        const from = offset + (y + row) * stride + x;
        this.#bytes.set(new Uint8Array(buffer, byteOffset + from, plane.width), plane.at + row * plane.stride);
      }
    }
  }

  /** Writes the part `rect` of what is in memory back into the frame. */
  store(frame: Frame, rect: Rect): void {
    const held = this.#held();
    const words = new Int32Array(frame.data.buffer, frame.data.byteOffset, frame.data.length >> 2);
    for (const { plane, offset, stride, x, y, shift } of this.#sides(frame, rect)) {
      const width = (rect.width + shift) >> shift;
      const height = (rect.height + shift) >> shift;
      const inner = plane.at + (y - (held.y >> shift)) * plane.stride + (x - (held.x >> shift));
      const outer = offset + y * stride + x;
      if ((inner | outer | stride | width) % 4 === 0) {
        copyWords(this.#words, [inner, plane.stride], words, [outer, stride], width, height);
        continue;
      }
      for (let row = 0; row < height; row++) {
        const from = inner + row * plane.stride;
        frame.data.set(new Uint8Array(this.memory.buffer, from, width), outer + row * stride);
      }
    }
  }

  /**
   * Samples a rotated square of the loaded frame into an n×n×3 tensor of RGB, `scale`·(0..1) + `bias`.
   * Strong shrinking reads from a smaller luma plane, so that no pixel is skipped.
   */
  crop(square: Square, n: number, out: Float32Array, scale: number, bias: number): void {
    const held = this.#held();
    const step = square.side / n;
    const level = Math.min(LEVELS - 1, Math.max(0, Math.floor(Math.log2(step / 1.2)) + (step > 1.2 ? 1 : 0)));
    while (this.#halved <= level) this.#halve();
    const luma = this.#luma[level]!;
    const to = cropToFrame(square, n);
    this.#run.cropToTensor(
      ...[luma.at, luma.stride, luma.width, luma.height, level],
      ...[this.#u.at, this.#v.at, this.#u.stride, this.#u.width, this.#u.height],
      ...[to.tx - held.x, to.ty - held.y, to.a, to.b, n, out.byteOffset, scale, bias],
    );
  }

  /** Mean colour of an n×n×3 tensor about each point, over squares of 2·radius + 1, into [count, 3]. */
  meansAt(
    tensor: Float32Array,
    n: number,
    points: Float32Array,
    stride: number,
    radius: number,
    out: Float32Array,
  ): void {
    const count = Math.floor(points.length / stride);
    this.#run.meansAt(tensor.byteOffset, n, points.byteOffset, stride * 4, count, radius, out.byteOffset);
  }

  /** Places on a mesh inside kernel memory, for good; for `coloursAt`. */
  places(places: readonly MeshPoint[]): Uint8Array<ArrayBuffer> {
    const out = this.bytes(places.length * PLACE_BYTES);
    const view = new DataView(out.buffer, out.byteOffset);
    for (const [k, { corners, weights }] of places.entries()) {
      for (const [c, corner] of corners.entries()) view.setUint16(k * PLACE_BYTES + 2 * c, corner, true);
      for (const [c, weight] of weights.entries()) view.setFloat32(k * PLACE_BYTES + 8 + 4 * c, weight, true);
    }
    return out;
  }

  /**
   * Colour of an n×n×3 tensor of RGB 0..1 at places on a mesh, as Y, U, V (0..255) into [count, 3].
   * @param points x, y of the mesh's points in pixels of the tensor; @param places from `places`.
   */
  coloursAt(tensor: Float32Array, n: number, points: Float32Array, places: Uint8Array, out: Float32Array): void {
    this.#run.touch(tensor.byteOffset, tensor.byteLength);
    const count = places.length / PLACE_BYTES;
    this.#run.coloursAt(tensor.byteOffset, n, points.byteOffset, places.byteOffset, count, out.byteOffset);
  }

  /** Remembers the region's rows from `top` to `bottom` (pixels, in whole or not) as they are, for `warpKept` and `restore`. */
  keep(top = 0, bottom = Number.POSITIVE_INFINITY): void {
    for (const [k, { at, stride, height }] of this.#planes().entries()) {
      // One row more on either side, as a sample reads the one below its own.
      const shift = k === 0 ? 0 : 1;
      const first = Math.max(0, (Math.floor(top) >> shift) - 1);
      const end = Math.min(height, Math.ceil(bottom / (1 << shift)) + 2);
      if (first < end) this.#bytes.copyWithin(this.#kept[k]! + first * stride, at + first * stride, at + end * stride);
    }
  }

  /**
   * Draws a textured mesh into the loaded frame: out = in + alpha·(texture·gain + offset − in), plane by plane; of chroma
   * the gain is `saturation`.
   * Vertices (VERTEX_FLOATS each) are in pixels of the loaded region and of the texture's luma; in the texture they stay EDGE away
   * from its edges.
   */
  warp(vertices: Float32Array, triangles: Uint16Array, gains: Gains, { size, y, u, v }: Texture): void {
    // The landmark model had the caches meanwhile: with this and the crop's an eighth of the swap's time is saved.
    this.#run.touch(y.byteOffset, v.byteOffset + v.length - y.byteOffset);
    const shape = { stride: size, width: size, height: size };
    const half = { stride: size / 2, width: size / 2, height: size / 2 };
    this.#warp(vertices, triangles, gains, [
      { at: y.byteOffset, ...shape },
      { at: u.byteOffset, ...half },
      { at: v.byteOffset, ...half },
    ]);
  }

  /** The same with the kept region as the texture: moves parts of the picture. */
  warpKept(vertices: Float32Array, triangles: Uint16Array): void {
    const [y, u, v] = this.#planes().map((plane, k) => ({ ...plane, at: this.#kept[k]! })) as [Plane, Plane, Plane];
    this.#warp(vertices, triangles, { gain: 1, saturation: 1 }, [y, u, v]);
  }

  #warp(
    ...[vertices, triangles, { gain, saturation }, [y, u, v]]: [
      ...[Float32Array, Uint16Array, Gains, [Plane, Plane, Plane]],
    ]
  ): void {
    const [luma, chroma] = [this.#luma[0]!, this.#u];
    this.#run.warp(
      ...[vertices.byteOffset, triangles.byteOffset, triangles.length / 3, gain, saturation],
      ...[y.at, y.stride, y.width, y.height, u.at, v.at, u.stride, u.width, u.height],
      ...[luma.at, luma.stride, luma.width, luma.height],
      ...[chroma.at, this.#v.at, chroma.stride, chroma.width, chroma.height],
    );
    this.#halved = 1;
  }

  /**
   * Gives the pixels of a mesh back what was kept, by a mask in texture space.
   * @param mask size² bytes, 255 = all; @param area where it is not 0; @param size its side; @param textureSize side of the texture it lies over.
   */
  restore(
    ...[vertices, triangles, mask, area, size, textureSize]: [
      Float32Array,
      Uint16Array,
      Uint8Array,
      Rect,
      number,
      number,
    ]
  ): void {
    for (const [k, { at, stride, width, height }] of this.#planes().entries()) {
      this.#run.restore(
        ...[vertices.byteOffset, triangles.byteOffset, triangles.length / 3, k === 0 ? 1 : 0.5],
        ...[mask.byteOffset, size, size / textureSize, area.x - 1, area.y - 1],
        ...[area.x + area.width + 1, area.y + area.height + 1, this.#kept[k]!, at, stride, width, height],
      );
    }
  }

  #planes(): [Plane, Plane, Plane] {
    return [this.#luma[0]!, this.#u, this.#v];
  }

  /**
   * Brings a crop, RGB [k·n, k·n, 3], into k² interleaved tiles of n x n in a model's layout: value · gain + bias.
   * Both buffers are in kernel memory, `out` of k²·3·n² floats.
   */
  tiles(crop: Float32Array, n: number, k: number, out: Float32Array, to: Layout, range: Range): void {
    const { gain, bias } = range;
    this.#run.tiles(crop.byteOffset, n, k, out.byteOffset, to.pixel, to.r, to.g, to.b, ...gain, ...bias);
  }

  /**
   * Makes texels (Y, U, V, opacity, a byte each, [k·n, k·n]) of k² tiles of n x n in a model's layout.
   * @param matrix 16 floats: columns for R, G, B and 1, each to Y, U, V and a spare.
   */
  texels(
    ...[tiles, n, k, from, matrix, mask, out]: [
      ...[Float32Array, number, number, Layout, Float32Array, Uint8Array, Uint8Array],
    ]
  ): void {
    this.#run.texels(
      ...[tiles.byteOffset, n, k, from.pixel, from.r, from.g, from.b],
      ...[matrix.byteOffset, mask.byteOffset, out.byteOffset],
    );
  }

  /** Blends texels [n, n] of a square into the loaded part of the frame; returns what may have changed, null if nothing. */
  paste(texels: Uint8Array, n: number, square: Square, strength: number): Rect | null {
    const held = this.#held();
    const bounds = boundsOf({ ...square, x: square.x - held.x, y: square.y - held.y }, 0, held.width, held.height);
    if (bounds === null) return null;
    const back = inverse(cropToFrame(square, n));
    const [luma, u, v] = [this.#luma[0]!, this.#u, this.#v];
    this.#run.paste(
      ...[texels.byteOffset, n, luma.at, luma.stride, luma.width, luma.height, u.at, v.at, u.stride],
      ...[bounds.x, bounds.y, bounds.x + bounds.width, bounds.y + bounds.height],
      ...[back.a * held.x - back.b * held.y + back.tx, back.b * held.x + back.a * held.y + back.ty, back.a, back.b],
      ...[Math.max(1, Math.ceil(n / square.side - 0.25)), strength],
    );
    this.#halved = 1;
    return { ...bounds, x: bounds.x + held.x, y: bounds.y + held.y };
  }

  /** The part of the frame in memory. */
  get rect(): Rect {
    return this.#held();
  }

  #held(): Rect {
    if (this.#rect === null)
      throw new FaceOffError('kernel_order', 'A kernel ran before any part of a frame was loaded.');
    return this.#rect;
  }

  #halve(): void {
    const from = this.#luma[this.#halved - 1]!;
    const to = this.#luma[this.#halved]!;
    shape(to, from.width >> 1, from.height >> 1);
    if (to.width > 0 && to.height > 0) this.#run.halve(from.at, from.stride, to.at, to.stride, to.width, to.height);
    this.#halved++;
  }

  /** The three planes of a frame beside those of the region: where `rect` begins in each. */
  #sides(frame: Frame, rect: Rect) {
    const { width, height } = frame;
    const cw = (width + 1) >> 1;
    const ch = (height + 1) >> 1;
    const [x, y] = [rect.x >> 1, rect.y >> 1];
    return [
      { plane: this.#luma[0]!, offset: 0, stride: width, x: rect.x, y: rect.y, shift: 0 },
      { plane: this.#u, offset: width * height, stride: cw, x, y, shift: 1 },
      { plane: this.#v, offset: width * height + cw * ch, stride: cw, x, y, shift: 1 },
    ];
  }
}

/** Copies rows, all whole words of four bytes: of the short rows of a face this is a third faster than `set`. */
function copyWords(
  ...[from, [fromAt, fromStride], to, [toAt, toStride], width, height]: [
    ...[Int32Array, readonly [number, number], Int32Array, readonly [number, number], number, number],
  ]
): void {
  for (let row = 0; row < height; row++) {
    let [a, b] = [(fromAt + row * fromStride) >> 2, (toAt + row * toStride) >> 2];
    const end = b + (width >> 2);
    for (; b + 4 <= end; a += 4, b += 4) {
      to[b] = from[a]!;
      to[b + 1] = from[a + 1]!;
      to[b + 2] = from[a + 2]!;
      to[b + 3] = from[a + 3]!;
    }
    for (; b < end; a++, b++) to[b] = from[a]!;
  }
}

function shape(plane: Plane, width: number, height: number): void {
  plane.width = width;
  plane.height = height;
  plane.stride = (width + 15) & ~15;
}
