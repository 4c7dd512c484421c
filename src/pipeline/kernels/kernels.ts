/** The typed face of the pixel kernels in assembly/: memory for tensors and textures, and the loops over tensors. */

import { FaceOffError } from '../../shared/errors.ts';
import type { Rect } from '../../shared/geometry.ts';
import type { Frame } from '../../shared/types.ts';
import { compiledKernels, kernelMemory } from './compiled-kernels.ts';
import {
  FrameRegion,
  type KernelExports,
  type KernelPlane,
  PYRAMID_LEVELS,
  type RegionMemory,
  type RgbTensor,
  type Texture,
} from './frame-region.ts';

/** How a model lays out pictures of n x n: bytes to the next pixel, and to the first red, green and blue. */
export interface Layout {
  pixel: number;
  r: number;
  g: number;
  b: number;
}

/** Pixel boost: a picture of k·n pixels a side as k² interleaved tiles of n x n in a model's layout. */
export interface Tiling {
  /** Side of a tile, in pixels. */
  n: number;
  /** Tiles across and down. */
  k: number;
  layout: Layout;
}

/** A place on a mesh: three corners and their weights, which sum to 1. */
export interface MeshPoint {
  corners: readonly [number, number, number];
  weights: readonly [number, number, number];
}

/** Points of a tensor to take mean colours about. */
export interface SamplePoints {
  /** Floats in kernel memory; x and y, in pixels of the tensor, are the first two of `stride`. */
  values: Float32Array;
  stride: number;
  /** The mean is taken over a square of 2·radius + 1 pixels a side. */
  radius: number;
}

/** value · gain + bias, for red, green and blue. */
export interface Range {
  gain: readonly [number, number, number];
  bias: readonly [number, number, number];
}

/** How `texels` makes Y, U, V and opacity of a model's RGB. */
export interface TexelMix {
  /** 16 floats in kernel memory: columns for R, G, B and 1, each to Y, U, V and a spare. */
  matrix: Float32Array;
  /** Opacity, a byte for each pixel of the whole picture, in kernel memory. */
  mask: Uint8Array;
}

/**
 * Bytes for tensors, vertices and textures beside the frame: the models' inputs take under 2 MiB, textures the
 * rest.
 */
const WORKING_BYTES = 24 * 2 ** 20;
/** Bytes of a mesh point as `coloursAt` reads it: three corner indices, padding, three weights. */
const PLACE_BYTES = 20;

/**
 * The pixel kernels with their memory, one instance a lane (and one for each generator). The memory is laid out
 * once and never grows. It holds one region of a frame at a time and every model's input, so a model reads what a
 * kernel wrote without a copy between them. Not shared between threads.
 */
export class Kernels {
  readonly memory: WebAssembly.Memory;
  readonly maxPixels: number;
  readonly #bytes: Uint8Array;
  readonly #run: KernelExports;
  readonly #region: RegionMemory;
  readonly #releasedTextures: Texture[] = [];
  /** Address of the first free byte. */
  #top: number;

  private constructor(memory: WebAssembly.Memory, run: KernelExports, maxPixels: number) {
    this.memory = memory;
    this.maxPixels = maxPixels;
    this.#bytes = new Uint8Array(memory.buffer);
    this.#run = run;
    this.#top = run.ownBytes();
    // Rows are padded to 16 bytes so that a SIMD load at a row's end stays inside the plane.
    const padded = Math.ceil(maxPixels * 1.1) + 64 * 1024;
    const plane = (bytes: number): KernelPlane => ({ at: this.#allocate(bytes), stride: 0, width: 0, height: 0 });
    this.#region = {
      run,
      bytes: this.#bytes,
      words: new Int32Array(memory.buffer),
      luma: Array.from({ length: PYRAMID_LEVELS }, (_, k) => plane(padded >> (2 * k))),
      u: plane(padded / 2),
      v: plane(padded / 2),
      kept: [padded, padded / 2, padded / 2].map((bytes) => this.#allocate(bytes)),
      filledLevels: 0,
      generation: 0,
    };
  }

  /**
   * Makes an instance of the compiled kernels, dist/kernels.wasm.
   * @param maxPixels largest region, in luma pixels; memory is about 4.5 bytes for each.
   * @param workingBytes for tensors, vertices and textures beside it.
   */
  static async load(maxPixels: number, workingBytes = WORKING_BYTES): Promise<Kernels> {
    const planes = Math.ceil((maxPixels * 1.1 + 64 * 1024) * 4.5);
    const memory = kernelMemory(planes + workingBytes);
    const { exports } = new WebAssembly.Instance(await compiledKernels(), { env: { memory } });
    return new Kernels(memory, exports as KernelExports, maxPixels);
  }

  /** @throws FaceOffError `kernel_memory` when the memory is used up. */
  #allocate(bytes: number): number {
    const at = this.#top;
    this.#top = Math.ceil((at + bytes + 64) / 64) * 64;
    if (this.#top > this.#bytes.length)
      throw new FaceOffError('kernel_memory', 'The kernels have no memory left for another buffer.');
    return at;
  }

  /** Allocates a float buffer in kernel memory; it is never freed. */
  floats(count: number): Float32Array<ArrayBuffer> {
    return new Float32Array(this.memory.buffer, this.#allocate(count * 4), count);
  }

  /** Allocates a byte buffer in kernel memory; it is never freed. */
  bytes(count: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.memory.buffer, this.#allocate(count), count);
  }

  /** Copies triangle indices into kernel memory; they are never freed. */
  indices(values: ArrayLike<number>): Uint16Array<ArrayBuffer> {
    const view = new Uint16Array(this.memory.buffer, this.#allocate(values.length * 2), values.length);
    view.set(values);
    return view;
  }

  /** A texture in kernel memory with undefined contents; `release` gives it back. */
  texture(size: number): Texture {
    const released = this.#releasedTextures.findIndex((texture) => texture.size === size);
    if (released >= 0) return this.#releasedTextures.splice(released, 1)[0]!;
    const plane = (n: number): Uint8Array => new Uint8Array(this.memory.buffer, this.#allocate(n * n + 64), n * n);
    return { size, y: plane(size), u: plane(size / 2), v: plane(size / 2) };
  }

  /** Gives a texture back, for the next call of `texture` with its size. */
  release(texture: Texture): void {
    this.#releasedTextures.push(texture);
  }

  /**
   * Copies a part of the frame into memory, in place of the region that was loaded before, whose handle becomes
   * stale.
   * @param rect even corners, inside the frame (geometry.evenRect).
   * @throws FaceOffError `frame_too_large` above the pixels that the memory was made for.
   */
  load(frame: Frame, rect: Rect): FrameRegion {
    if (rect.width * rect.height > this.maxPixels) {
      const size = `${rect.width}x${rect.height}`;
      throw new FaceOffError(
        'frame_too_large',
        `A part of ${size} pixels is larger than limits.frameWidth and frameHeight allow.`,
      );
    }
    return FrameRegion.load(this.#region, frame, rect);
  }

  /** Mean colour of a tensor about each point, into [count, 3]. Beyond the tensor its edge pixels repeat. */
  meansAt({ values, n }: RgbTensor, points: SamplePoints, out: Float32Array): void {
    const { stride, radius } = points;
    const count = Math.floor(points.values.length / stride);
    this.#run.meansAt(values.byteOffset, n, points.values.byteOffset, stride * 4, count, radius, out.byteOffset);
  }

  /** Copies places on a mesh into kernel memory, for `coloursAt`; they are never freed. */
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
   * Colour of a tensor of RGB 0..1 at places on a mesh, as Y, U, V (0..255) into [count, 3].
   * @param points x, y of the mesh's points in pixels of the tensor; @param places from `places`.
   */
  coloursAt({ values, n }: RgbTensor, points: Float32Array, places: Uint8Array, out: Float32Array): void {
    this.#run.touch(values.byteOffset, values.byteLength);
    const count = places.length / PLACE_BYTES;
    this.#run.coloursAt(values.byteOffset, n, points.byteOffset, places.byteOffset, count, out.byteOffset);
  }

  /**
   * Splits a crop, RGB [k·n, k·n, 3], into tiles: value · gain + bias. Tile (i, j) takes every k-th pixel from (i,
   * j) on.
   * @param out k²·3·n² floats; both buffers are in kernel memory.
   */
  tiles(crop: Float32Array, { n, k, layout }: Tiling, { gain, bias }: Range, out: Float32Array): void {
    const { pixel, r, g, b } = layout;
    this.#run.tiles(crop.byteOffset, n, k, out.byteOffset, pixel, r, g, b, ...gain, ...bias);
  }

  /**
   * Joins tiles to texels, Y, U, V, opacity, a byte each, [k·n, k·n].
   * @param out 4·(k·n)² bytes; every buffer is in kernel memory.
   */
  texels(tiles: Float32Array, { n, k, layout }: Tiling, { matrix, mask }: TexelMix, out: Uint8Array): void {
    const { pixel, r, g, b } = layout;
    const addresses = [matrix.byteOffset, mask.byteOffset, out.byteOffset];
    this.#run.texels(tiles.byteOffset, n, k, pixel, r, g, b, ...addresses);
  }
}
