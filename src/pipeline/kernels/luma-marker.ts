/** Adds a watermark to the luma of frames, stronger where the picture hides it. */

import { planesOf } from '../../shared/i420.ts';
import type { Frame } from '../../shared/types.ts';
import { TILE } from '../../watermark/chips.ts';
import { drawTiles, STRENGTHS } from '../../watermark/pattern.ts';
import { kernelMemory } from './compiled-kernels.ts';
import type { KernelExports } from './frame-region.ts';

/** Side of a block of one strength, and rows of a band, in pixels. */
const BLOCK = 16;
/** A band is measured in every so manyth frame, each in another one. */
const PERIOD = 16;
/** Weight of a new measurement in the moving average, 0..1: a change of the scene shows after some seconds. */
const NEWEST_WEIGHT = 0.2;
/** Differences that `activity` sums up, over what it divides by. */
const SUM_SHARE = 24;
/** Mean difference of pixels, in levels, from which each of STRENGTHS is taken. */
const ACTIVITY_FROM = [0, 2, 3, 4.2] as const;
/** The share by which the mean has to pass one of them, so that a strength does not change to and fro. */
const HYSTERESIS = 0.12;
/** Bytes that kernels read beyond a band. */
const PADDING = 64;

/**
 * Marks the frames of one size of one stream. Has memory of its own, about four bytes for each pixel of a tile: a
 * megabyte for 1280x720. The pattern stands still; its strength follows the scene slowly and block by block, so that
 * nothing flickers.
 */
export class LumaMarker {
  readonly width: number;
  readonly height: number;
  readonly #run: KernelExports;
  readonly #side: number;
  readonly #columns: number;
  /** Columns of blocks that can be measured: whole ones, as differences reach four pixels across. */
  readonly #measured: number;
  readonly #stride: number;
  /** Addresses. */
  readonly #tilesAt: number;
  readonly #bandAt: number;
  readonly #strengthsAt: number;
  readonly #activityAt: number;
  /** The kernels' memory. */
  readonly #band: Uint8Array;
  readonly #rowStrengths: Uint8Array;
  readonly #rowActivity: Uint8Array;
  /** For each block of the picture. */
  readonly #strengths: Uint8Array;
  readonly #activity: Float32Array;
  #frames = 0;

  /**
   * @param module of `compiledKernels`. @param chips of `allChips`. @param cell side of a cell in pixels.
   * @param size of the frames, in pixels.
   */
  constructor(module: WebAssembly.Module, chips: Int8Array, cell: number, size: { width: number; height: number }) {
    const { width, height } = size;
    this.width = width;
    this.height = height;
    this.#side = TILE * cell;
    this.#columns = Math.ceil(width / BLOCK);
    this.#measured = Math.max(0, Math.floor((width - 4) / BLOCK));
    this.#stride = this.#columns * BLOCK;
    const tiles = drawTiles(chips, cell);
    const bytes = tiles.length + this.#stride * BLOCK + 2 * this.#columns + 4 * PADDING;
    const memory = kernelMemory(bytes);
    this.#run = new WebAssembly.Instance(module, { env: { memory } }).exports as KernelExports;
    let top = this.#run.ownBytes();
    const allocate = (count: number): number => {
      const at = Math.ceil(top / PADDING) * PADDING;
      top = at + count + PADDING;
      return at;
    };
    this.#tilesAt = allocate(tiles.length);
    this.#bandAt = allocate(this.#stride * BLOCK);
    this.#strengthsAt = allocate(this.#columns);
    this.#activityAt = allocate(this.#columns);
    new Int8Array(memory.buffer, this.#tilesAt).set(tiles);
    const view = (at: number, count: number): Uint8Array => new Uint8Array(memory.buffer, at, count);
    this.#band = view(this.#bandAt, this.#stride * BLOCK);
    this.#rowStrengths = view(this.#strengthsAt, this.#columns);
    this.#rowActivity = view(this.#activityAt, this.#columns);
    const blocks = this.#columns * Math.ceil(height / BLOCK);
    this.#strengths = new Uint8Array(blocks);
    this.#activity = new Float32Array(blocks);
  }

  /** Adds the mark to a frame in place. @param frame of the marker's size. */
  mark({ data, width, height }: Frame): void {
    const isFirst = this.#frames === 0;
    const luma = data.subarray(0, planesOf({ width, height }).u);
    for (let y = 0, band = 0; y < height; y += BLOCK, band++) {
      const rows = Math.min(BLOCK, height - y);
      this.#load(luma, y, rows);
      // Differences reach 12 rows down, so a lower band keeps the least strength.
      if (rows === BLOCK && (isFirst || band % PERIOD === this.#frames % PERIOD)) this.#measure(band, isFirst);
      this.#rowStrengths.set(this.#strengths.subarray(band * this.#columns, (band + 1) * this.#columns));
      this.#run.addTiles(
        ...[this.#bandAt, this.#stride, this.#columns, rows],
        ...[this.#tilesAt, this.#side, y % this.#side, this.#strengthsAt],
      );
      this.#store(luma, y, rows);
    }
    this.#frames++;
  }

  /** Copies rows of luma into memory, where each begins at a block. */
  #load(luma: Uint8Array, y: number, rows: number): void {
    const { width } = this;
    if (width === this.#stride) this.#band.set(luma.subarray(y * width, (y + rows) * width));
    else
      for (let row = 0; row < rows; row++)
        this.#band.set(luma.subarray((y + row) * width, (y + row + 1) * width), row * this.#stride);
  }

  #store(luma: Uint8Array, y: number, rows: number): void {
    const { width } = this;
    if (width === this.#stride) luma.set(this.#band.subarray(0, rows * width), y * width);
    else
      for (let row = 0; row < rows; row++)
        luma.set(this.#band.subarray(row * this.#stride, row * this.#stride + width), (y + row) * width);
  }

  /** Measures a band, and sets the strengths of its blocks. */
  #measure(band: number, isFirst: boolean): void {
    const first = band * this.#columns;
    this.#run.activity(this.#bandAt, this.#stride, this.#measured, this.#activityAt);
    for (let column = 0, block = first; column < this.#measured; column++, block++) {
      const now = this.#rowActivity[column]! / SUM_SHARE;
      const before = this.#activity[block]!;
      const mean = isFirst ? now : before + (now - before) * NEWEST_WEIGHT;
      this.#activity[block] = mean;
      this.#strengths[block] = strengthFor(mean, this.#strengths[block]!);
    }
    if (this.#measured > 0)
      this.#strengths.fill(this.#strengths[first + this.#measured - 1]!, first + this.#measured, first + this.#columns);
  }
}

/** The strength for a mean difference, an index of STRENGTHS. @param before the one so far. */
function strengthFor(mean: number, before: number): number {
  let strength = before;
  while (strength + 1 < STRENGTHS.length && mean > ACTIVITY_FROM[strength + 1]! * (1 + HYSTERESIS)) strength++;
  while (strength > 0 && mean < ACTIVITY_FROM[strength]! * (1 - HYSTERESIS)) strength--;
  return strength;
}
