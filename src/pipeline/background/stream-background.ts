/** Replaces what is behind the person in one stream's frames. */

import type { Frame } from '../../shared/types.ts';
import { BackgroundCanvas, type MaskBlend, type MatteFit } from '../kernels/background-canvas.ts';
import { fitPicture } from './fit-picture.ts';
import { MASK_SIZE, type PersonSegmenter } from './person-segmenter.ts';

/** What is shown behind the person. */
export type Backdrop =
  | { kind: 'blur'; isStrong: boolean }
  /** Y, U, V. */
  | { kind: 'colour'; colour: readonly [number, number, number] }
  | { kind: 'picture'; picture: Frame };

/** When a new mask is made. */
export interface MaskPace {
  /** Milliseconds from one mask to the next. */
  intervalMs: number;
  /** From so many milliseconds on, a picture that has changed gets one sooner; null for never. */
  followMs: number | null;
}

/** A frame that comes a little early still gets the mask that is due, so that the distance is one of whole frames. */
const EARLY_MS = 8;
/** Mean change of luma since the last mask, in levels, from which a picture that is followed gets a new one. */
const MOVED = 4;
/** Mean change from which it gets one in the next frame: an edge that is so far off would be seen. */
const FAST = 8;
/** Mean change from which every picture does: the camera turned, or another one was chosen. */
const CUT = 16;
/** Share of a new mask where the picture rests, and the change of luma that is movement. */
const BLEND: MaskBlend = { share: 0.3, change: 10 };
/** The first mask is taken as it is. */
const FIRST: MaskBlend = { share: 1, change: 1 };
const FIT: Omit<MatteFit, 'radius'> = { epsilon: 0.001, none: 0.1, all: 0.6, least: 0.15, most: 0.85 };
/** Radii in cells, as shares of a frame's width in cells. */
const WINDOW = 1 / 50;
const LIGHT = 1 / 80;
const STRONG = 1 / 24;

/** One instance a stream, with memory for its size of frames. Runs in the lane's thread and mutex. */
export class StreamBackground {
  readonly #module: WebAssembly.Module;
  readonly #segmenter: PersonSegmenter;
  #canvas: BackgroundCanvas | null = null;
  /** What the canvas holds as its background; null for what is drawn anew in each frame. */
  #shown: Backdrop | null = null;
  /** When the frame of the last mask was received; null before the first. */
  #maskedAtMs: number | null = null;

  /** @param module of `compiledKernels`. */
  constructor(module: WebAssembly.Module, segmenter: PersonSegmenter) {
    this.#module = module;
    this.#segmenter = segmenter;
  }

  /**
   * Replaces the background of a frame in place. The first frame of a size, and one after a cut, gets a mask whatever the
   * pace, so that no frame shows what another one would hide.
   * @throws FaceOffError `out_of_memory`, `model_unusable`; then nothing of the frame has changed.
   */
  async replace(frame: Frame, backdrop: Backdrop, pace: MaskPace): Promise<void> {
    const canvas = this.#canvasFor(frame);
    canvas.load(frame);
    const isFirst = this.#maskedAtMs === null;
    if (isFirst || this.#isDue(canvas, frame.receivedAtMs, pace)) {
      const mask = await this.#segmenter.segment(canvas);
      canvas.takeMask(mask, isFirst ? FIRST : BLEND, { ...FIT, radius: radiusOf(canvas, WINDOW) });
      this.#maskedAtMs = frame.receivedAtMs;
    }
    this.#draw(canvas, backdrop);
    canvas.compose();
    canvas.store(frame);
  }

  /** Gives the memory back, while the background is not replaced. */
  release(): void {
    this.#canvas = null;
  }

  #canvasFor({ width, height }: Frame): BackgroundCanvas {
    if (this.#canvas?.width !== width || this.#canvas.height !== height) {
      this.#canvas = new BackgroundCanvas(this.#module, { width, height }, MASK_SIZE);
      this.#shown = null;
      this.#maskedAtMs = null;
    }
    return this.#canvas;
  }

  #isDue(canvas: BackgroundCanvas, nowMs: number, { intervalMs, followMs }: MaskPace): boolean {
    const age = nowMs - (this.#maskedAtMs ?? nowMs);
    if (age >= intervalMs - EARLY_MS || age < 0) return true;
    if (followMs === null) return canvas.change() >= CUT;
    return canvas.change() >= (age >= followMs - EARLY_MS ? MOVED : FAST);
  }

  #draw(canvas: BackgroundCanvas, backdrop: Backdrop): void {
    if (backdrop.kind === 'blur') canvas.blur(radiusOf(canvas, backdrop.isStrong ? STRONG : LIGHT));
    else if (!isAlike(backdrop, this.#shown)) {
      if (backdrop.kind === 'colour') canvas.fill(backdrop.colour);
      else canvas.show(fitPicture(backdrop.picture, canvas));
    }
    this.#shown = backdrop;
  }
}

const radiusOf = ({ across }: BackgroundCanvas, share: number): number => Math.max(1, Math.round(across * share));

/** Whether a canvas that shows the one background already shows the other. */
function isAlike(backdrop: Backdrop, shown: Backdrop | null): boolean {
  if (backdrop.kind === 'picture') return shown?.kind === 'picture' && shown.picture === backdrop.picture;
  if (backdrop.kind !== 'colour' || shown?.kind !== 'colour') return false;
  return backdrop.colour.every((value, k) => value === shown.colour[k]);
}
