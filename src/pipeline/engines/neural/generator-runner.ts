/**
 * Runs a generator or restorer on one face: an aligned crop goes in, a picture comes out and is pasted back. Beside the
 * model's run it costs a few passes over the crop; the frame itself is never converted.
 */

import { boundsOf } from '../../../shared/geometry.ts';
import type { Frame } from '../../../shared/types.ts';
import type { ModelSession, RunCall } from '../../inference/model-session.ts';
import { Kernels, type Layout } from '../../kernels/kernels.ts';
import type { Catalogue, EntryOf } from '../../models/catalogue.ts';
import { bindGenerator, type ProfileBinding } from './bind-profile.ts';
import { matchColour } from './colour-transfer.ts';
import { alignedSquare } from './face-alignment.ts';
import { floatsIn, graphOf, type OpenOptions, openBoundModel } from './open-model.ts';
import { boxMask, limitOpacity, type RegionMask } from './paste-mask.ts';
import { layoutOf, NO_CORRECTION, rangeOf, yuvMatrix } from './tensor-layout.ts';

/** How a generator or restorer is opened. */
export interface GeneratorOptions extends OpenOptions {
  /** Largest frame, in luma pixels. */
  maxPixels: number;
  /** Pixel boost: k² tiles of the model's own size give a picture of k times its side. */
  boost: number;
}

/** How one face is painted. */
export interface PasteOptions {
  /** The source tensor of NeuralFace; empty for a model without a source. */
  source?: Float32Array;
  /** Opacity, 0..1. */
  strength: number;
  /** How far the colours follow the live ones, 0..1. */
  colour: number;
  /** Limits the paste to the face; null or absent pastes the whole box. */
  mask?: RegionMask | null;
  /** Deadline of the frame on performance.now()'s clock; a model on the device is not awaited beyond it. */
  deadlineMs?: number;
}

/** Pixels loaded around the crop's square, for bilinear samples at its edge. */
const MARGIN = 2;
/** Layout of a crop as the kernel writes it: RGB interleaved, four bytes each. */
const CROP: Layout = { pixel: 12, r: 0, g: 4, b: 8 };
const PLAIN = [0, 0, 0] as const;
const UNIT = [1, 1, 1] as const;

type PaintingEntry = EntryOf<'generator' | 'restorer'>;

/** What a GeneratorRunner works with, opened. */
interface RunnerParts {
  profile: PaintingEntry['profile'];
  binding: ProfileBinding;
  kernels: Kernels;
  session: ModelSession;
  boost: number;
}

/**
 * One session of a generator or restorer with the kernels and buffers for one face at a time. Runs in the lane worker.
 */
export class GeneratorRunner {
  readonly #profile: PaintingEntry['profile'];
  readonly #binding: ProfileBinding;
  readonly #kernels: Kernels;
  readonly #session: ModelSession;
  readonly #boost: number;
  /** Side of the whole crop, in pixels. */
  readonly side: number;
  /** Milliseconds spent in the model's runs so far; the rest of `paint` is the crop and the paste. */
  runMs = 0;
  readonly #crop: Float32Array;
  readonly #tiles: Float32Array;
  readonly #painted: Float32Array;
  readonly #texels: Uint8Array;
  readonly #box: Uint8Array;
  readonly #opacity: Uint8Array;
  readonly #matrix: Float32Array;

  private constructor({ profile, binding, kernels, session, boost }: RunnerParts) {
    this.#profile = profile;
    this.#binding = binding;
    this.#kernels = kernels;
    this.#session = session;
    this.#boost = boost;
    this.side = binding.size * boost;
    const pixels = this.side * this.side;
    this.#crop = kernels.floats(3 * pixels);
    // Where one run takes all tiles, they are written into the session's own input.
    this.#tiles = binding.batch === boost * boost ? session.inputs[binding.input]! : kernels.floats(3 * pixels);
    this.#painted = kernels.floats(3 * pixels);
    this.#texels = kernels.bytes(4 * pixels);
    this.#box = kernels.bytes(pixels);
    this.#opacity = kernels.bytes(pixels);
    this.#matrix = kernels.floats(16);
    boxMask(this.side, this.#box);
  }

  /** @throws FaceOffError `model_missing`, `model_differs`, `model_unfit`, `model_unusable`. */
  static async open(catalogue: Catalogue, entry: PaintingEntry, options: GeneratorOptions): Promise<GeneratorRunner> {
    const { boost, maxPixels } = options;
    const { profile } = entry;
    const binding = bindGenerator(entry, profile, graphOf(catalogue, entry), boost * boost);
    const pixels = (binding.size * boost) ** 2;
    const bytes = 4 * (floatsIn(binding) + 9 * pixels) + 6 * pixels + 4096;
    const kernels = await Kernels.load(maxPixels, bytes);
    const session = await openBoundModel(catalogue, { entry, binding, kernels }, options);
    return new GeneratorRunner({ profile, binding, kernels, session, boost });
  }

  /** The provider the model runs on. */
  get provider(): string {
    return this.#session.provider;
  }

  /** Whether an engine, an optimised model or a saved tuning was found in the cache. */
  get cached(): boolean {
    return this.#session.cached === true;
  }

  /** Milliseconds of a usual picture; 0 where that is not known beforehand. */
  get usualMs(): number {
    return (this.#session.usualMs ?? 0) * Math.ceil(this.#boost ** 2 / this.#binding.batch);
  }

  /** The model's run alone, for measurements. */
  get run(): () => Promise<void> {
    return () => this.#session.run();
  }

  /**
   * Paints one face of the frame, in place.
   * @param points 468 or 478 landmarks, x, y, z in pixels of the frame.
   * @throws whatever the model's run throws; the frame is unchanged then.
   */
  async paint(frame: Frame, points: Float32Array, options: PasteOptions): Promise<void> {
    const square = alignedSquare(points, this.#profile.template);
    const rect = boundsOf(square, MARGIN, frame.width, frame.height);
    if (rect === null) return;
    const { size } = this.#binding;
    const layout = layoutOf(this.#profile, size);
    const tiling = { n: size, k: this.#boost, layout };
    const region = this.#kernels.load(frame, rect);
    region.crop(square, { values: this.#crop, n: this.side });
    this.#kernels.tiles(this.#crop, tiling, rangeOf(this.#profile), this.#tiles);
    const { deadlineMs, mask = null, colour, strength } = options;
    const call = deadlineMs === undefined ? {} : { deadlineMs };
    let opacity = await this.#run(options, call);
    if (mask !== null) {
      if (opacity === this.#box) this.#opacity.set(this.#box);
      opacity = this.#opacity;
      await mask.limit(frame, square, { values: opacity, n: this.side }, call);
    }
    this.#setMatrix(layout, opacity, colour);
    this.#kernels.texels(this.#painted, tiling, { matrix: this.#matrix, mask: opacity }, this.#texels);
    const changed = region.paste(this.#texels, this.side, square, strength);
    if (changed !== null) region.store(frame, changed);
  }

  /** Idempotent. */
  close(): Promise<void> {
    return this.#session.close();
  }

  /**
   * Runs the model on every tile. @returns the opacity [side, side] of the paste: the box, less the model's own masks.
   */
  async #run({ source }: PasteOptions, call: RunCall): Promise<Uint8Array> {
    const { input, output, batch, size, masks } = this.#binding;
    const { inputs, outputs } = this.#session;
    if (this.#binding.source !== null) fillBatch(source!, inputs[this.#binding.source]!);
    if (masks.length > 0) this.#opacity.set(this.#box);
    const floatsPerRun = 3 * size * size * batch;
    for (let at = 0; at < this.#painted.length; at += floatsPerRun) {
      if (inputs[input] !== this.#tiles) inputs[input]!.set(this.#tiles.subarray(at, at + floatsPerRun));
      const beganMs = performance.now();
      await this.#session.run(call);
      this.runMs += performance.now() - beganMs;
      this.#painted.set(outputs[output]!, at);
      // Every tile shows the whole face, so the first tile's mask is valid for all.
      if (at === 0) for (const mask of masks) limitOpacity(this.#opacity, this.side, outputs[mask]!, size);
    }
    return masks.length > 0 ? this.#opacity : this.#box;
  }

  /** Fills the matrix that converts the model's values to colour-corrected Y, U, V. */
  #setMatrix(layout: Layout, opacity: Uint8Array, colour: number): void {
    const { output } = this.#profile;
    const live = { values: this.#crop, layout: CROP, n: this.side, mean: PLAIN, std: UNIT };
    const made = { values: this.#painted, layout, n: this.#binding.size, ...output };
    yuvMatrix(output, colour > 0 ? matchColour(live, made, opacity, colour) : NO_CORRECTION, this.#matrix);
  }
}

/** Fills a batch with copies of one item. */
function fillBatch(item: Float32Array, into: Float32Array): void {
  for (let at = 0; at < into.length; at += item.length) into.set(item, at);
}
