/** The memory and kernels that replace the background of frames of one size. */

import { type I420Planes, planesOf } from '../../shared/i420.ts';
import type { Frame } from '../../shared/types.ts';
import { kernelMemory } from './compiled-kernels.ts';
import type { KernelPlane } from './frame-region.ts';

/** Side of a cell of the matte, in pixels. */
const CELL = 4;
/** Bytes of a cell: four floats. */
const CELL_BYTES = 16;
/** Cells across are a multiple of this. */
const COLUMNS = 4;
/** Radius in cells from which a blur is made of cells twice as large. */
const WIDE = 3;
/** Rows are padded to so many pixels. */
const ROW = 16;
/** Bytes that kernels read beyond a plane. */
const PADDING = 64;

/** A mask of a network over the whole frame: how surely each pixel shows a person, 0..1. */
export interface PersonMask {
  values: Float32Array;
  width: number;
  height: number;
}

/** The kernels of `assembly/matte.ts` and `assembly/compose-planes.ts`; their parameters are described there. */
interface MatteExports extends Record<string, unknown> {
  ownBytes: () => number;
  lumaChange: (...numbers: number[]) => number;
  halve: Kernel;
  stretchToTensor: Kernel;
  cellMeans: Kernel;
  takeMask: Kernel;
  moments: Kernel;
  boxMeans: Kernel;
  lines: Kernel;
  matteLines: Kernel;
  halveCells: Kernel;
  doubleCells: Kernel;
  matteStates: Kernel;
  backgroundOnly: Kernel;
  unweight: Kernel;
  compose: Kernel;
  drawCells: Kernel;
}

type Kernel = (...numbers: number[]) => void;

/** An I420 picture in kernel memory, rows padded; addresses in bytes, sizes in pixels. */
interface Planes {
  luma: KernelPlane;
  u: KernelPlane;
  v: KernelPlane;
}

/** How a network's mask becomes a matte. */
export interface MatteFit {
  /** Radius of the guided filter's windows, in cells. */
  radius: number;
  /** Variance of luma, (0..1)², below which the matte does not follow it. */
  epsilon: number;
  /** What of the network's mask counts as 0 and as 1. */
  none: number;
  all: number;
  /** What of the matte becomes 0 and 1. */
  least: number;
  most: number;
}

/** How a new mask is taken in. */
export interface MaskBlend {
  /** Share of the new mask, 0..1, where the picture has not changed. */
  share: number;
  /** Change of luma, in levels, from which all of it is taken. */
  change: number;
}

/**
 * Memory of its own for frames of one size, some 14 bytes for each pixel. A frame is loaded, looked at, composed and stored.
 * Runs in the lane's thread; nothing is allocated after the constructor.
 */
export class BackgroundCanvas {
  readonly width: number;
  readonly height: number;
  readonly #run: MatteExports;
  readonly #bytes: Uint8Array;
  readonly #floats: Float32Array;
  readonly #layout: I420Planes;
  readonly #picture: Planes;
  readonly #backdrop: Planes;
  /** Halves of the luma and of the chroma, for the network. */
  readonly #lumaHalves: KernelPlane[];
  readonly #chromaHalves: Pick<Planes, 'u' | 'v'>[];
  readonly #across: number;
  readonly #down: number;
  readonly #mask: { at: number; size: number };
  readonly #rowsAt: number;
  readonly #tensorAt: number;
  readonly #personAt: number;
  readonly #statesAt: number;
  /** Grids of cells. */
  readonly #cellsAt: number;
  readonly #earlierAt: number;
  readonly #linesAt: number;
  readonly #oldAt: number;
  readonly #blurredAt: number;
  readonly #betweenAt: number;
  readonly #halfCellsAt: number;

  /** @param module of `compiledKernels`. @param size of the frames. @param mask of the network's picture, in pixels. */
  constructor(
    module: WebAssembly.Module,
    size: { width: number; height: number },
    mask: { width: number; height: number },
  ) {
    const { width, height } = size;
    this.width = width;
    this.height = height;
    this.#layout = planesOf(size);
    const stride = Math.ceil(width / ROW) * ROW;
    this.#across = stride / CELL;
    this.#down = Math.ceil(height / CELL);
    const cells = this.#across * this.#down;
    const rows = this.#down * CELL;
    const planeBytes = stride * rows;
    const maskPixels = mask.width * mask.height;
    const bytes =
      3.5 * planeBytes +
      cells * (7 * CELL_BYTES + 5) +
      64 * (this.#across + this.#down + 64) +
      stride * 12 +
      maskPixels * 16 +
      32 * (PADDING + ROW);
    const memory = kernelMemory(bytes);
    this.#run = new WebAssembly.Instance(module, { env: { memory } }).exports as MatteExports;
    this.#bytes = new Uint8Array(memory.buffer);
    this.#floats = new Float32Array(memory.buffer);
    let top = this.#run.ownBytes();
    const allocate = (count: number): number => {
      const at = Math.ceil(top / PADDING) * PADDING;
      top = at + count + PADDING;
      return at;
    };
    const plane = (step: number, across: number, down: number): KernelPlane => ({
      at: allocate(step * down),
      stride: step,
      width: across,
      height: down,
    });
    const planes = (): Planes => {
      const chroma = (): KernelPlane => ({
        ...plane(stride / 2, this.#layout.chromaWidth, rows / 2),
        height: this.#layout.chromaHeight,
      });
      return { luma: { ...plane(stride, width, rows), height }, u: chroma(), v: chroma() };
    };
    this.#picture = planes();
    this.#backdrop = planes();
    this.#lumaHalves = [this.#picture.luma];
    this.#chromaHalves = [this.#picture];
    const half = (from: KernelPlane): KernelPlane =>
      plane(Math.ceil(from.stride / 2 / ROW) * ROW, from.width >> 1, from.height >> 1);
    // The network's picture is at most twice as coarse as what it is sampled from.
    for (let from = this.#picture.luma; from.width >= 1.8 * mask.width; from = this.#lumaHalves.at(-1)!)
      this.#lumaHalves.push(half(from));
    for (let { u, v } = this.#picture as Pick<Planes, 'u' | 'v'>; u.width >= 1.8 * mask.width; ) {
      this.#chromaHalves.push({ u: half(u), v: half(v) });
      ({ u, v } = this.#chromaHalves.at(-1)!);
    }
    this.#mask = { at: allocate(maskPixels * 4), size: maskPixels };
    this.#tensorAt = allocate(maskPixels * 12);
    this.#rowsAt = allocate(stride * 12);
    this.#personAt = allocate(cells * 4);
    this.#statesAt = allocate(cells);
    const grid = (): number => allocate(cells * CELL_BYTES);
    this.#cellsAt = grid();
    this.#earlierAt = grid();
    this.#linesAt = grid();
    this.#oldAt = grid();
    this.#blurredAt = grid();
    this.#betweenAt = grid();
    this.#halfCellsAt = allocate((cells / 4 + (this.#across + COLUMNS) * COLUMNS + this.#down * COLUMNS) * CELL_BYTES);
  }

  /** Cells across a frame. */
  get across(): number {
    return this.#across;
  }

  /** Copies a frame into memory, and takes the means of its cells. @param frame of the canvas's size. */
  load(frame: Frame): void {
    const { luma, u, v } = this.#picture;
    this.#copyIn(frame.data, this.#picture);
    this.#run.cellMeans(...[luma.at, luma.stride, u.at, v.at, u.stride], ...[this.#across, this.#down, this.#cellsAt]);
  }

  /** Copies the picture back into the frame. */
  store(frame: Frame): void {
    const { luma, u, v } = this.#picture;
    this.#copyOut(luma, frame.data, 0);
    this.#copyOut(u, frame.data, this.#layout.u);
    this.#copyOut(v, frame.data, this.#layout.v);
  }

  /** Stretches the loaded picture to the network's RGB, 0..1, [height, width, 3]. */
  sample(out: Float32Array, { width, height }: Omit<PersonMask, 'values'>): void {
    const [lumas, chromas] = [this.#lumaHalves, this.#chromaHalves];
    for (let k = 1; k < lumas.length; k++) this.#halve(lumas[k - 1]!, lumas[k]!);
    for (let k = 1; k < chromas.length; k++) {
      this.#halve(chromas[k - 1]!.u, chromas[k]!.u);
      this.#halve(chromas[k - 1]!.v, chromas[k]!.v);
    }
    const [luma, { u, v }] = [lumas.at(-1)!, chromas.at(-1)!];
    this.#run.stretchToTensor(
      ...[luma.at, luma.stride, luma.width, luma.height],
      ...[u.at, v.at, u.stride, u.width, u.height],
      ...[this.#rowsAt, width, height, this.#tensorAt],
    );
    out.set(this.#floats.subarray(this.#tensorAt / 4, this.#tensorAt / 4 + out.length));
  }

  /** How far luma has changed since the last mask, in levels: on the person's edge or everywhere, whichever is more. */
  change(): number {
    return this.#run.lumaChange(this.#cellsAt, this.#earlierAt, this.#statesAt, this.#across * this.#down);
  }

  /** Takes the network's mask of the loaded picture in, and fits the matte to the picture. */
  takeMask({ values, width, height }: PersonMask, { share, change }: MaskBlend, fit: MatteFit): void {
    const { radius, epsilon, none, all, least, most } = fit;
    const cells = this.#across * this.#down;
    this.#floats.set(values, this.#mask.at / 4);
    this.#run.takeMask(
      ...[this.#mask.at, width, height, this.width / CELL, this.height / CELL],
      ...[this.#cellsAt, this.#earlierAt, this.#across, this.#down, this.#personAt, share, change, none, all],
      this.#rowsAt,
    );
    this.#bytes.copyWithin(this.#earlierAt, this.#cellsAt, this.#cellsAt + cells * CELL_BYTES);
    this.#run.moments(this.#cellsAt, this.#personAt, cells, this.#linesAt);
    // The old background's memory is free until it is made below.
    this.#run.boxMeans(this.#linesAt, this.#across, this.#down, 1, this.#betweenAt, this.#oldAt);
    this.#fitLines(radius, epsilon);
    this.#run.matteLines(this.#linesAt, this.#cellsAt, this.#oldAt, cells, least, most);
    this.#run.matteStates(this.#linesAt, this.#across, this.#down, this.#betweenAt, this.#statesAt);
    this.#blurBackground(this.#oldAt, radius);
  }

  /**
   * Makes lines of the moments. Wide windows are of cells twice as large, as the fast variant of the filter has it; the lines
   * themselves meet the luma of pixels all the same.
   */
  #fitLines(radius: number, epsilon: number): void {
    const [across, down] = [this.#across, this.#down];
    const isWide = radius >= WIDE + 1;
    const at = isWide ? this.#halfCellsAt : this.#linesAt;
    const [gridAcross, gridDown] = isWide ? this.#halfGrid : [across, down];
    const windows = isWide ? Math.round(radius / 2) : radius;
    if (isWide) this.#run.halveCells(this.#linesAt, across, down, gridAcross, gridDown, at);
    this.#run.boxMeans(at, gridAcross, gridDown, windows, this.#betweenAt, at);
    this.#run.lines(at, gridAcross * gridDown, epsilon);
    this.#run.boxMeans(at, gridAcross, gridDown, windows, this.#betweenAt, at);
    if (isWide) this.#run.doubleCells(at, gridAcross, gridDown, across, down, this.#linesAt);
  }

  /** Cells twice as large: across, a multiple of COLUMNS, and down. */
  get #halfGrid(): [across: number, down: number] {
    return [Math.ceil(this.#across / 2 / COLUMNS) * COLUMNS, Math.ceil(this.#down / 2)];
  }

  /** Makes the blurred background of the loaded picture the new one. @param radius of the blur in cells. */
  blur(radius: number): void {
    const { luma, u, v } = this.#backdrop;
    this.#blurBackground(this.#blurredAt, radius);
    this.#run.drawCells(
      ...[this.#blurredAt, this.#statesAt, this.#across, this.#down],
      ...[luma.at, luma.stride, u.at, v.at, u.stride],
    );
  }

  /** Makes a picture the new background. @param data I420 of the canvas's size. */
  show(data: Uint8Array): void {
    this.#copyIn(data, this.#backdrop);
  }

  /** Makes a colour the new background: Y, U, V. */
  fill([y, u, v]: readonly [number, number, number]): void {
    const { luma, u: blue, v: red } = this.#backdrop;
    const fillPlane = ({ at, stride, height }: KernelPlane, value: number): void => {
      this.#bytes.fill(value, at, at + stride * height);
    };
    fillPlane(luma, y);
    fillPlane(blue, u);
    fillPlane(red, v);
  }

  /** Puts the new background behind the person of the loaded picture. */
  compose(): void {
    const { luma, u, v } = this.#picture;
    const back = this.#backdrop;
    this.#run.compose(
      ...[luma.at, luma.stride, u.at, v.at, u.stride],
      ...[back.luma.at, back.u.at, back.v.at],
      ...[this.#linesAt, this.#statesAt, this.#oldAt, this.#across, this.#down],
    );
  }

  /**
   * Means of the background alone, so that nothing of the person is in them. A wide blur is made of cells twice as large,
   * which shows no difference.
   */
  #blurBackground(at: number, radius: number): void {
    const [across, down] = [this.#across, this.#down];
    const cells = across * down;
    this.#run.backgroundOnly(this.#cellsAt, this.#personAt, this.#statesAt, cells, at);
    if (radius < WIDE) {
      this.#blurCells(at, across, down, radius);
      return;
    }
    const [halfAcross, halfDown] = this.#halfGrid;
    this.#run.halveCells(at, across, down, halfAcross, halfDown, this.#halfCellsAt);
    this.#blurCells(this.#halfCellsAt, halfAcross, halfDown, Math.round(radius / 2));
    this.#run.doubleCells(this.#halfCellsAt, halfAcross, halfDown, across, down, at);
  }

  /** Three boxes, which come close to a Gaussian. */
  #blurCells(at: number, across: number, down: number, radius: number): void {
    for (let pass = 0; pass < 3; pass++) this.#run.boxMeans(at, across, down, radius, this.#betweenAt, at);
    this.#run.unweight(at, across * down);
  }

  #halve(from: KernelPlane, to: KernelPlane): void {
    this.#run.halve(from.at, from.stride, to.at, to.stride, to.width, to.height);
  }

  /** Copies a picture, and repeats the last column and row of its planes in the padding. */
  #copyIn(data: Uint8Array, { luma, u, v }: Planes): void {
    this.#copyPlane(data, 0, luma, CELL);
    this.#copyPlane(data, this.#layout.u, u, CELL / 2);
    this.#copyPlane(data, this.#layout.v, v, CELL / 2);
  }

  /** @param side of a cell in pixels of the plane. */
  #copyPlane(data: Uint8Array, from: number, { at, stride, width, height }: KernelPlane, side: number): void {
    const bytes = this.#bytes;
    if (width === stride) bytes.set(data.subarray(from, from + width * height), at);
    else
      for (let row = 0; row < height; row++) {
        const [first, to] = [from + row * width, at + row * stride];
        bytes.set(data.subarray(first, first + width), to);
        bytes.fill(data[first + width - 1]!, to + width, to + stride);
      }
    const last = at + (height - 1) * stride;
    for (let row = height; row % side !== 0; row++) bytes.copyWithin(at + row * stride, last, last + stride);
  }

  #copyOut({ at, stride, width, height }: KernelPlane, data: Uint8Array, to: number): void {
    const bytes = this.#bytes;
    if (width === stride) data.set(bytes.subarray(at, at + width * height), to);
    else
      for (let row = 0; row < height; row++)
        data.set(bytes.subarray(at + row * stride, at + row * stride + width), to + row * width);
  }
}
