/**
 * The part of a frame that is loaded into the kernels' memory, and everything that can be done to its pixels there.
 */

import { FaceOffError } from '../../shared/errors.ts';
import { boundsOf, cropToFrame, inverse, type Rect, type Square } from '../../shared/geometry.ts';
import type { Frame } from '../../shared/types.ts';

/** Floats of one vertex of a warp: x, y, s, t, alpha, offsets of Y, U and V, gain of all three. */
export const VERTEX_FLOATS = 9;

/** Least distance of a vertex from its texture's edges, in texels: half a texel, and some for rounding. */
export const TEXTURE_EDGE = 0.51;

/** The luma pyramid's levels: full size, then halves, down to an eighth. */
export const PYRAMID_LEVELS = 4;

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

/** An RGB picture [n, n, 3] as floats in kernel memory. */
export interface RgbTensor {
  values: Float32Array;
  n: number;
}

/** Which pixels of a texture `restore` gives back. */
export interface TextureMask {
  /** size² bytes in kernel memory, over the whole texture; 255 gives a pixel back entirely. */
  opacity: Uint8Array;
  size: number;
  /** The part of the mask, in its own pixels, that is not 0. */
  area: Rect;
}

/** The functions of `assembly/` that the host calls; their parameters are described there. */
export interface KernelExports extends Record<string, unknown> {
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
  addTiles: Numbers;
  activity: Numbers;
  zoom: (...numbers: number[]) => number;
}

type Numbers = (...numbers: number[]) => void;

/** One plane in kernel memory: its address and the bytes from row to row; width and height in pixels. */
export interface KernelPlane {
  at: number;
  stride: number;
  width: number;
  height: number;
}

/** An I420 picture as planes of one buffer. */
export interface RegionPlanes {
  readonly bytes: Uint8Array;
  readonly luma: KernelPlane;
  readonly u: KernelPlane;
  readonly v: KernelPlane;
}

/** The memory that every region of a lane is loaded into, one after the other. Written by FrameRegion alone. */
export interface RegionMemory {
  readonly run: KernelExports;
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  /** The luma pyramid, largest first, PYRAMID_LEVELS planes. */
  readonly luma: readonly KernelPlane[];
  readonly u: KernelPlane;
  readonly v: KernelPlane;
  /** Addresses of what `keep` copied of Y, U and V, in planes of the same shape as the region's. */
  readonly kept: readonly number[];
  /** How many levels of the pyramid are filled for the loaded region. */
  filledLevels: number;
  /** Counts the loads; the region of the last one is the only valid one. */
  generation: number;
}

/**
 * A handle for a rectangle of a frame that was loaded into the kernels' memory. The memory holds one region at a
 * time: the next load makes the handle stale, and every method of a stale handle throws FaceOffError `kernel_order`
 * instead of touching another face's pixels. Runs in the lane's thread.
 */
export class FrameRegion {
  /** Where the region lies in the frame, in pixels. */
  readonly rect: Rect;
  /** Which load of the memory this was, from 1. */
  readonly generation: number;
  readonly #memory: RegionMemory;

  private constructor(memory: RegionMemory, rect: Rect) {
    this.#memory = memory;
    this.rect = rect;
    this.generation = memory.generation;
  }

  /**
   * Copies a part of the frame into memory; called by Kernels.load.
   * @param rect even corners, inside the frame (geometry.evenRect).
   */
  static load(memory: RegionMemory, frame: Frame, rect: Rect): FrameRegion {
    memory.generation++;
    memory.filledLevels = 1;
    shape(memory.luma[0]!, rect.width, rect.height);
    shape(memory.u, (rect.width + 1) >> 1, (rect.height + 1) >> 1);
    shape(memory.v, (rect.width + 1) >> 1, (rect.height + 1) >> 1);
    // New views on the buffer: `subarray` looks up its species first and takes half as long again.
    const { buffer, byteOffset } = frame.data;
    for (const { plane, offset, stride, x, y } of planePairs(memory, frame, rect)) {
      for (let row = 0; row < plane.height; row++) {
        const from = offset + (y + row) * stride + x;
        memory.bytes.set(new Uint8Array(buffer, byteOffset + from, plane.width), plane.at + row * plane.stride);
      }
    }
    return new FrameRegion(memory, rect);
  }

  /** Whether the memory still holds this region. */
  get isLoaded(): boolean {
    return this.#memory.generation === this.generation;
  }

  /**
   * For callers that read something made of the region, such as its crop.
   * @throws FaceOffError `kernel_order` when another region was loaded since.
   */
  requireLoaded(): void {
    this.#loaded();
  }

  /** The region's pixels, to be read and written in place; for small parts only. Valid until the next load. */
  get planes(): RegionPlanes {
    const { bytes, luma, u, v } = this.#loaded();
    return { bytes, luma: luma[0]!, u, v };
  }

  /** Writes the part `rect` of the region, in pixels of the frame, back into the frame. */
  store(frame: Frame, rect: Rect): void {
    const memory = this.#loaded();
    const words = new Int32Array(frame.data.buffer, frame.data.byteOffset, frame.data.length >> 2);
    for (const { plane, offset, stride, x, y, shift } of planePairs(memory, frame, rect)) {
      const width = (rect.width + shift) >> shift;
      const height = (rect.height + shift) >> shift;
      const inner = plane.at + (y - (this.rect.y >> shift)) * plane.stride + (x - (this.rect.x >> shift));
      const outer = offset + y * stride + x;
      if ((inner | outer | stride | width) % 4 === 0) {
        const from = { words: memory.words, at: inner, stride: plane.stride };
        copyWords(from, { words, at: outer, stride }, width, height);
        continue;
      }
      for (let row = 0; row < height; row++) {
        const from = inner + row * plane.stride;
        frame.data.set(new Uint8Array(memory.bytes.buffer, from, width), outer + row * stride);
      }
    }
  }

  /**
   * Samples a rotated square, in pixels of the frame, into a tensor of RGB: `scale`·(0..1) + `bias`. Beyond the
   * region its edge pixels repeat. Strong shrinking reads from a smaller luma plane, so that no pixel is skipped.
   */
  crop(square: Square, { values, n }: RgbTensor, scale = 1, bias = 0): void {
    const memory = this.#loaded();
    const step = square.side / n;
    const level = Math.min(PYRAMID_LEVELS - 1, Math.max(0, Math.floor(Math.log2(step / 1.2)) + (step > 1.2 ? 1 : 0)));
    while (memory.filledLevels <= level) fillNextLevel(memory);
    const to = cropToFrame(square, n);
    memory.run.cropToTensor(
      ...addressOf(memory.luma[level]!),
      level,
      ...chromaOf(memory),
      ...[to.tx - this.rect.x, to.ty - this.rect.y, to.a, to.b],
      ...[n, values.byteOffset, scale, bias],
    );
  }

  /**
   * Copies the region's rows from `top` to `bottom` (pixels of the region, fractions allowed) aside, for `warpKept`
   * and `restore`.
   */
  keep(top = 0, bottom = Number.POSITIVE_INFINITY): void {
    const memory = this.#loaded();
    for (const [k, { at, stride, height }] of regionPlanes(memory).entries()) {
      // One row more on either side, as a bilinear sample also reads the row below its own.
      const shift = k === 0 ? 0 : 1;
      const first = Math.max(0, (Math.floor(top) >> shift) - 1);
      const end = Math.min(height, Math.ceil(bottom / (1 << shift)) + 2);
      if (first < end)
        memory.bytes.copyWithin(memory.kept[k]! + first * stride, at + first * stride, at + end * stride);
    }
  }

  /**
   * Draws a textured mesh into the region, plane by plane: out = in + alpha·(texture·gain + offset − in). The gain is
   * the vertices', times `gain` for luma and `saturation` for chroma.
   * @param vertices VERTEX_FLOATS each, x and y in pixels of the region, s and t in pixels of the texture's luma,
   *   TEXTURE_EDGE or more away from its edges.
   */
  warp(vertices: Float32Array, triangles: Uint16Array, gains: Gains, { size, y, u, v }: Texture): void {
    const memory = this.#loaded();
    // The landmark model's run evicted the texture from the caches: this and the crop's save an eighth of the
    // swap's time.
    memory.run.touch(y.byteOffset, v.byteOffset + v.length - y.byteOffset);
    const luma = { at: y.byteOffset, stride: size, width: size, height: size };
    const chroma = { at: u.byteOffset, stride: size / 2, width: size / 2, height: size / 2 };
    drawMesh(memory, { vertices, triangles }, gains, { luma, chroma, vAt: v.byteOffset });
  }

  /** The same with what `keep` copied as the texture: moves parts of the picture. */
  warpKept(vertices: Float32Array, triangles: Uint16Array): void {
    const memory = this.#loaded();
    const [yAt, uAt, vAt] = memory.kept as [number, number, number];
    const texture = { luma: { ...memory.luma[0]!, at: yAt }, chroma: { ...memory.u, at: uAt }, vAt };
    drawMesh(memory, { vertices, triangles }, { gain: 1, saturation: 1 }, texture);
  }

  /**
   * Gives the pixels of a mesh back what `keep` copied, by a mask in texture space.
   * @param textureSize side of the texture that the mask lies over, in texels.
   */
  restore(vertices: Float32Array, triangles: Uint16Array, mask: TextureMask, textureSize: number): void {
    const memory = this.#loaded();
    const { opacity, size, area } = mask;
    for (const [k, { at, stride, width, height }] of regionPlanes(memory).entries()) {
      memory.run.restore(
        ...[vertices.byteOffset, triangles.byteOffset, triangles.length / 3, k === 0 ? 1 : 0.5],
        ...[opacity.byteOffset, size, size / textureSize, area.x - 1, area.y - 1],
        ...[area.x + area.width + 1, area.y + area.height + 1],
        ...[memory.kept[k]!, at, stride, width, height],
      );
    }
  }

  /**
   * Blends texels of a square into the region.
   * @param texels Y, U, V, opacity, a byte each, [n, n]. @param strength 0..1, multiplies the opacity.
   * @returns the rectangle of the frame that may have changed; null where the square lies outside of the region.
   */
  paste(texels: Uint8Array, n: number, square: Square, strength: number): Rect | null {
    const memory = this.#loaded();
    const { x, y, width, height } = this.rect;
    const bounds = boundsOf({ ...square, x: square.x - x, y: square.y - y }, 0, width, height);
    if (bounds === null) return null;
    const back = inverse(cropToFrame(square, n));
    memory.run.paste(
      ...[texels.byteOffset, n],
      ...addressOf(memory.luma[0]!),
      ...[memory.u.at, memory.v.at, memory.u.stride],
      ...[bounds.x, bounds.y, bounds.x + bounds.width, bounds.y + bounds.height],
      ...[back.a * x - back.b * y + back.tx, back.b * x + back.a * y + back.ty, back.a, back.b],
      ...[Math.max(1, Math.ceil(n / square.side - 0.25)), strength],
    );
    memory.filledLevels = 1;
    return { ...bounds, x: bounds.x + x, y: bounds.y + y };
  }

  /**
   * Fills a frame with a part of the region, enlarged; what `keep` copied is lost.
   * @param view the part, in pixels of the frame, fractions allowed, inside the region, of the frame's shape and no larger.
   */
  zoom(frame: Frame, view: Rect): void {
    const memory = this.#loaded();
    const { width, height, data } = frame;
    const [cw, ch] = [(width + 1) >> 1, (height + 1) >> 1];
    const step = view.width / width;
    const targets = [
      { offset: 0, w: width, h: height, shift: 1 },
      { offset: width * height, w: cw, h: ch, shift: 0.5 },
      { offset: width * height + cw * ch, w: cw, h: ch, shift: 0.5 },
    ];
    for (const [k, plane] of regionPlanes(memory).entries()) {
      const { offset, w, h, shift } = targets[k]!;
      const at = memory.kept[k]!;
      const stride = (w + 15) & ~15;
      const [x, y] = [(view.x - this.rect.x) * shift, (view.y - this.rect.y) * shift];
      if (memory.run.zoom(...addressOf(plane), at, stride, w, h, x, y, step) === 0) return;
      if (stride === w) {
        data.set(new Uint8Array(memory.bytes.buffer, at, w * h), offset);
        continue;
      }
      for (let row = 0; row < h; row++)
        data.set(new Uint8Array(memory.bytes.buffer, at + row * stride, w), offset + row * w);
    }
  }

  /** The memory, if it still holds this region. @throws FaceOffError `kernel_order` when it does not. */
  #loaded(): RegionMemory {
    if (this.isLoaded) return this.#memory;
    const { generation } = this.#memory;
    throw new FaceOffError(
      'kernel_order',
      `Region ${this.generation} is not in memory any more: load ${generation} took its place. Load it again.`,
    );
  }
}

interface Mesh {
  vertices: Float32Array;
  triangles: Uint16Array;
}

interface TexturePlanes {
  luma: KernelPlane;
  /** U; V has the same shape. */
  chroma: KernelPlane;
  vAt: number;
}

function drawMesh(memory: RegionMemory, mesh: Mesh, { gain, saturation }: Gains, texture: TexturePlanes): void {
  const { vertices, triangles } = mesh;
  const { luma, chroma, vAt } = texture;
  memory.run.warp(
    ...[vertices.byteOffset, triangles.byteOffset, triangles.length / 3, gain, saturation],
    ...addressOf(luma),
    ...[chroma.at, vAt, chroma.stride, chroma.width, chroma.height],
    ...addressOf(memory.luma[0]!),
    ...chromaOf(memory),
  );
  // The smaller luma planes show the region as it was before.
  memory.filledLevels = 1;
}

const addressOf = ({ at, stride, width, height }: KernelPlane) => [at, stride, width, height] as const;
const chromaOf = ({ u, v }: RegionMemory) => [u.at, v.at, u.stride, u.width, u.height] as const;
const regionPlanes = ({ luma, u, v }: RegionMemory) => [luma[0]!, u, v] as const;

function fillNextLevel(memory: RegionMemory): void {
  const from = memory.luma[memory.filledLevels - 1]!;
  const to = memory.luma[memory.filledLevels]!;
  shape(to, from.width >> 1, from.height >> 1);
  if (to.width > 0 && to.height > 0) memory.run.halve(from.at, from.stride, ...addressOf(to));
  memory.filledLevels++;
}

/** The three planes of the memory beside those of the frame: where `rect` begins in each plane of the frame. */
function planePairs({ luma, u, v }: RegionMemory, { width, height }: Frame, rect: Rect) {
  const cw = (width + 1) >> 1;
  const ch = (height + 1) >> 1;
  const [x, y] = [rect.x >> 1, rect.y >> 1];
  return [
    { plane: luma[0]!, offset: 0, stride: width, x: rect.x, y: rect.y, shift: 0 },
    { plane: u, offset: width * height, stride: cw, x, y, shift: 1 },
    { plane: v, offset: width * height + cw * ch, stride: cw, x, y, shift: 1 },
  ];
}

/** Rows of a plane, addressed in bytes, as words of four bytes. */
interface WordRows {
  words: Int32Array;
  at: number;
  stride: number;
}

/** Copies rows of whole words of four bytes; a third faster than `set` for the short rows of a face. */
function copyWords(from: WordRows, to: WordRows, width: number, height: number): void {
  const [source, target] = [from.words, to.words];
  for (let row = 0; row < height; row++) {
    let [a, b] = [(from.at + row * from.stride) >> 2, (to.at + row * to.stride) >> 2];
    const end = b + (width >> 2);
    for (; b + 4 <= end; a += 4, b += 4) {
      target[b] = source[a]!;
      target[b + 1] = source[a + 1]!;
      target[b + 2] = source[a + 2]!;
      target[b + 3] = source[a + 3]!;
    }
    for (; b < end; a++, b++) target[b] = source[a]!;
  }
}

/** Sets a plane's size; rows begin at multiples of 16 bytes, the width of a SIMD load. */
function shape(plane: KernelPlane, width: number, height: number): void {
  plane.width = width;
  plane.height = height;
  plane.stride = (width + 15) & ~15;
}
