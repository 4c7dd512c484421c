/**
 * What every model that paints faces has in common: an aligned crop goes in, a picture comes out and is pasted back. All
 * it costs beside the model's run is a few passes over the crop; the frame itself is never converted.
 */

import { boundsOf } from '../../../shared/geometry.ts';
import type { Frame } from '../../../shared/types.ts';
import type { ModelSession, RunCall } from '../../inference/model-session.ts';
import { Kernels, type Layout } from '../../kernels/kernels.ts';
import type { Catalogue, EntryOf } from '../../models/catalogue.ts';
import { bindGenerator, type ProfileBinding } from './bind-profile.ts';
import { matchColour } from './colour-transfer.ts';
import { alignedSquare } from './face-alignment.ts';
import { floatsIn, graphOf, type OpenOptions, openBound } from './open-model.ts';
import { atMost, boxMask, type RegionMask } from './paste-mask.ts';
import { AS_IT_IS, layoutOf, rangeOf, yuvMatrix } from './tensor-layout.ts';

export interface GeneratorOptions extends OpenOptions {
  /** Largest frame, in luma pixels. */
  maxPixels: number;
  /** Pixel boost: k² tiles of the model's own size give a picture of k times its side. */
  boost: number;
}

export interface PasteOptions {
  /** What the model wants to know of the source; empty where it needs nothing. */
  source?: Float32Array;
  /** Opacity, 0..1. */
  strength: number;
  /** How far the colours follow the live ones, 0..1. */
  colour: number;
  region?: RegionMask | null;
  /** When the frame is wanted, on performance.now()'s clock; a model that runs elsewhere is not waited for any longer. */
  deadlineMs?: number;
}

/** Pixels loaded around the crop's square, for the samples at its edge. */
const MARGIN = 2;
/** Layout of a crop as the kernel makes it. */
const CROP: Layout = { pixel: 12, r: 0, g: 4, b: 8 };
const PLAIN = [0, 0, 0] as const;
const UNIT = [1, 1, 1] as const;

export class GeneratorRunner {
  readonly #profile: EntryOf<'generator' | 'restorer'>['profile'];
  readonly #fit: ProfileBinding;
  readonly #kernels: Kernels;
  readonly #session: ModelSession;
  readonly #boost: number;
  /** Side of the whole crop, in pixels. */
  readonly side: number;
  /** Time spent in the model's runs so far: the rest of a paint is ours. */
  runMs = 0;
  readonly #crop: Float32Array;
  readonly #tiles: Float32Array;
  readonly #painted: Float32Array;
  readonly #texels: Uint8Array;
  readonly #box: Uint8Array;
  readonly #opacity: Uint8Array;
  readonly #matrix: Float32Array;

  private constructor(
    ...[entry, fit, kernels, session, boost]: [
      ...[EntryOf<'generator' | 'restorer'>, ProfileBinding, Kernels, ModelSession, number],
    ]
  ) {
    this.#profile = entry.profile;
    this.#fit = fit;
    this.#kernels = kernels;
    this.#session = session;
    this.#boost = boost;
    this.side = fit.size * boost;
    const pixels = this.side * this.side;
    this.#crop = kernels.floats(3 * pixels);
    // Where one run takes all tiles, they are made in its own input.
    this.#tiles = fit.batch === boost * boost ? session.inputs[fit.input]! : kernels.floats(3 * pixels);
    this.#painted = kernels.floats(3 * pixels);
    this.#texels = kernels.bytes(4 * pixels);
    this.#box = kernels.bytes(pixels);
    this.#opacity = kernels.bytes(pixels);
    this.#matrix = kernels.floats(16);
    boxMask(this.side, this.#box);
  }

  /** @throws FaceOffError when the model is missing, another file, or does not fit its profile. */
  static async open(
    ...[catalogue, entry, options]: [Catalogue, EntryOf<'generator' | 'restorer'>, GeneratorOptions]
  ): Promise<GeneratorRunner> {
    const { boost, maxPixels } = options;
    const fit = bindGenerator(entry, entry.profile, graphOf(catalogue, entry), boost * boost);
    const pixels = (fit.size * boost) ** 2;
    const bytes = 4 * (floatsIn(fit) + 9 * pixels) + 6 * pixels + 4096;
    const kernels = await Kernels.load(maxPixels, bytes);
    const session = await openBound(catalogue, entry, fit, kernels, options);
    return new GeneratorRunner(entry, fit, kernels, session, boost);
  }

  /** What the model runs on. */
  get provider(): string {
    return this.#session.provider;
  }

  /** Whether what had to be prepared for the model was found prepared. */
  get cached(): boolean {
    return this.#session.cached === true;
  }

  /** Milliseconds that a picture usually takes; 0 where that is not known beforehand. */
  get usualMs(): number {
    return (this.#session.usualMs ?? 0) * Math.ceil(this.#boost ** 2 / this.#fit.batch);
  }

  /** The model's run alone, for measuring. */
  get run(): () => Promise<void> {
    return () => this.#session.run();
  }

  /**
   * Paints one face of the frame, in place.
   * @param points 468 or 478, x, y, z in pixels of the frame.
   * @throws what the model's run throws; then the frame is as it was.
   */
  async paint(frame: Frame, points: Float32Array, strokes: PasteOptions): Promise<void> {
    const square = alignedSquare(points, this.#profile.template);
    const rect = boundsOf(square, MARGIN, frame.width, frame.height);
    if (rect === null) return;
    const { size } = this.#fit;
    const layout = layoutOf(this.#profile, size);
    const tiling = { n: size, k: this.#boost, layout };
    const region = this.#kernels.load(frame, rect);
    region.crop(square, { values: this.#crop, n: this.side });
    this.#kernels.tiles(this.#crop, tiling, rangeOf(this.#profile), this.#tiles);
    const { deadlineMs } = strokes;
    const call = deadlineMs === undefined ? {} : { deadlineMs };
    const opacity = await this.#run(strokes, call);
    if (strokes.region != null) {
      if (opacity === this.#box) this.#opacity.set(this.#box);
      await strokes.region.limit(frame, square, this.#opacity, this.side, call);
    }
    const shown = strokes.region == null ? opacity : this.#opacity;
    this.#mix(layout, shown, strokes.colour);
    this.#kernels.texels(this.#painted, tiling, { matrix: this.#matrix, mask: shown }, this.#texels);
    const changed = region.paste(this.#texels, this.side, square, strokes.strength);
    if (changed !== null) region.store(frame, changed);
  }

  /** Idempotent. */
  close(): Promise<void> {
    return this.#session.close();
  }

  /** Runs the model over every tile; returns what limits the paste. */
  async #run({ source }: PasteOptions, call: RunCall): Promise<Uint8Array> {
    const { input, output, batch, size, masks } = this.#fit;
    const { inputs, outputs } = this.#session;
    if (this.#fit.source !== null) repeat(source!, inputs[this.#fit.source]!);
    if (masks.length > 0) this.#opacity.set(this.#box);
    const stretch = 3 * size * size * batch;
    for (let at = 0; at < this.#painted.length; at += stretch) {
      if (inputs[input] !== this.#tiles) inputs[input]!.set(this.#tiles.subarray(at, at + stretch));
      const beganMs = performance.now();
      await this.#session.run(call);
      this.runMs += performance.now() - beganMs;
      this.#painted.set(outputs[output]!, at);
      // Every tile shows the whole face, so the first one's mask is that of all.
      if (at === 0) for (const mask of masks) atMost(this.#opacity, this.side, outputs[mask]!, size);
    }
    return masks.length > 0 ? this.#opacity : this.#box;
  }

  /** Fills the matrix from the model's values to the picture's. */
  #mix(layout: Layout, opacity: Uint8Array, colour: number): void {
    const { output } = this.#profile;
    const live = { values: this.#crop, layout: CROP, n: this.side, mean: PLAIN, std: UNIT };
    const made = { values: this.#painted, layout, n: this.#fit.size, ...output };
    yuvMatrix(output, colour > 0 ? matchColour(live, made, opacity, colour) : AS_IT_IS, this.#matrix);
  }
}

/** Fills a batch with copies of one. */
function repeat(one: Float32Array, into: Float32Array): void {
  for (let at = 0; at < into.length; at += one.length) into.set(one, at);
}
