/** Detection of hard cuts in a stream. */

import { planesOf } from '../../shared/i420.ts';
import type { Frame } from '../../shared/types.ts';

/** Patches across and down the frame. */
const ACROSS = 16;
const DOWN = 12;
/** Width of a patch, in luma pixels; it is two rows high. */
const WIDE = 4;
const PATCHES = ACROSS * DOWN;
/**
 * A patch has changed when it differs by more than so many of 255 steps from the median change, which is the
 * light's.
 */
const LUMA_STEP = 16;
const CHROMA_STEP = 4;
/**
 * At a cut the share of changed patches, 0..1, is so much higher than usual. A person who leans over changes a
 * fifth, a hand waved before the camera more.
 */
const SHARE = 0.4;
/**
 * Weight of the newest frame in the usual share, 0..1: with a camera that is carried about, or is full of noise, a
 * cut must change more.
 */
const FOLLOW = 0.1;

/**
 * Notices a hard cut: another scene, another camera, a clip that begins again; what was learned from earlier frames
 * does not hold any more. Compares a sparse grid of patches: between frames of one scene only those change that
 * something moves through, at a cut a large part of all.
 */
export class Cuts {
  /** Where each patch of Y, U and V begins in a frame of this size. */
  readonly #first = new Int32Array(3 * PATCHES);
  #width = 0;
  #height = 0;
  /** Means of the patches of this frame and of the last. */
  #now = new Int16Array(3 * PATCHES);
  #last = new Int16Array(3 * PATCHES);
  readonly #changed = new Uint8Array(PATCHES);
  /** How many patches changed by −255..255. */
  readonly #counts = new Uint8Array(511);
  /** Share of the patches that change from frame to frame. */
  #usual = 0;

  /** Whether this frame belongs to another scene than the frame of the previous call, whatever the sizes of both. */
  at(frame: Frame): boolean {
    const { width, height } = frame;
    const isFirst = this.#width === 0;
    const isSameShape = sameShape(frame, { width: this.#width, height: this.#height });
    if (width !== this.#width || height !== this.#height) this.#placePatches(frame);
    [this.#now, this.#last] = [this.#last, this.#now];
    this.#measure(frame);
    if (isFirst || !isSameShape) return !isFirst;
    const share = this.#compare();
    const isCut = share > SHARE + this.#usual;
    this.#usual += FOLLOW * (share - this.#usual);
    return isCut;
  }

  #placePatches({ width, height }: Frame): void {
    this.#width = width;
    this.#height = height;
    const { chromaWidth: across, chromaHeight: down, u, v } = planesOf({ width, height });
    for (let i = 0; i < PATCHES; i++) {
      const [x, y] = [((i % ACROSS) + 0.5) / ACROSS, (Math.floor(i / ACROSS) + 0.5) / DOWN];
      const chroma = Math.floor(y * down) * across + Math.floor(x * across);
      this.#first[i] = Math.floor(y * height) * width + Math.floor(x * width);
      this.#first[PATCHES + i] = u + chroma;
      this.#first[2 * PATCHES + i] = v + chroma;
    }
  }

  #measure({ width, data }: Frame): void {
    const [first, now] = [this.#first, this.#now];
    const across = (width + 1) >> 1;
    for (let i = 0; i < PATCHES; i++) now[i] = meanOf(data, first[i]!, width, WIDE);
    for (let i = PATCHES; i < 3 * PATCHES; i++) now[i] = meanOf(data, first[i]!, across, WIDE / 2);
  }

  /** Share of the patches, 0..1, that changed in any plane. */
  #compare(): number {
    const [now, last, changed] = [this.#now, this.#last, this.#changed.fill(0)];
    for (let first = 0; first < 3 * PATCHES; first += PATCHES) {
      const step = first === 0 ? LUMA_STEP : CHROMA_STEP;
      const median = this.#medianChange(first);
      for (let i = 0; i < PATCHES; i++) {
        const off = now[first + i]! - last[first + i]! - median;
        if (off > step || off < -step) changed[i] = 1;
      }
    }
    let count = 0;
    for (let i = 0; i < PATCHES; i++) count += changed[i]!;
    return count / PATCHES;
  }

  /** The median change of a plane's patches. */
  #medianChange(first: number): number {
    const [now, last, counts] = [this.#now, this.#last, this.#counts.fill(0)];
    for (let i = first; i < first + PATCHES; i++) counts[now[i]! - last[i]! + 255]!++;
    let [value, below] = [-1, 0];
    while (below <= PATCHES / 2) below += counts[++value]!;
    return value - 255;
  }
}

/** Whether two frames may be one picture at two sizes: WebRTC scales frames as its bandwidth changes. */
function sameShape(a: Size, b: Size): boolean {
  return Math.abs(a.width * b.height - a.height * b.width) <= Math.max(a.width + a.height, b.width + b.height);
}

interface Size {
  width: number;
  height: number;
}

function meanOf(data: Uint8Array, first: number, stride: number, wide: number): number {
  let sum = 0;
  for (let at = first; at < first + wide; at++) sum += data[at]! + data[at + stride]!;
  return sum / (2 * wide);
}
