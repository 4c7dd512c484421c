/** Which part of an aligned crop is pasted: a box with soft edges, less what a model says is no face. */

import type { Square } from '../../../shared/geometry.ts';
import { boundsOf } from '../../../shared/geometry.ts';
import type { Frame } from '../../../shared/types.ts';
import type { ModelSession, RunCall } from '../../inference/model-session.ts';
import { Kernels } from '../../kernels/kernels.ts';
import type { Catalogue, EntryOf } from '../../models/catalogue.ts';
import { bindPlain, type ProfileBinding } from './bind-profile.ts';
import { graphOf, type OpenOptions, openBound } from './open-model.ts';
import { layoutOf, rangeOf } from './tensor-layout.ts';

/** Width of the soft edge as a share of the crop's side. */
const FEATHER = 0.15;

const smooth = (t: number): number => t * t * (3 - 2 * t);

/** Opacity 0..255 of an n x n crop: nothing in its outermost pixels, as the paste wants it, all of it further in. */
export function boxMask(n: number, into: Uint8Array): void {
  const along = Float32Array.from({ length: n }, (_, i) => smooth(Math.min(1, Math.min(i, n - 1 - i) / (FEATHER * n))));
  for (let y = 0; y < n; y++) for (let x = 0; x < n; x++) into[y * n + x] = Math.round(255 * along[y]! * along[x]!);
}

/**
 * Takes the lesser of an opacity [n, n] and of a mask of another size, read bilinearly.
 * @param mask [side, side], 0..1; beyond that is cut.
 */
export function atMost(opacity: Uint8Array, n: number, mask: Float32Array, side: number): void {
  const scale = side / n;
  const last = side - 1;
  for (let y = 0; y < n; y++) {
    const fy = Math.min(last, Math.max(0, (y + 0.5) * scale - 0.5));
    const [top, sy] = [Math.floor(fy) * side, fy % 1];
    const below = Math.min(last, Math.floor(fy) + 1) * side;
    for (let x = 0; x < n; x++) {
      const fx = Math.min(last, Math.max(0, (x + 0.5) * scale - 0.5));
      const [left, sx] = [Math.floor(fx), fx % 1];
      const right = Math.min(last, left + 1);
      const upper = mask[top + left]! * (1 - sx) + mask[top + right]! * sx;
      const lower = mask[below + left]! * (1 - sx) + mask[below + right]! * sx;
      const value = Math.round(255 * Math.min(1, Math.max(0, upper * (1 - sy) + lower * sy)));
      if (value < opacity[y * n + x]!) opacity[y * n + x] = value;
    }
  }
}

/** Every so many pixels a parser's classes are compared: the mask is smoothed between them. */
const CLASS_STEP = 2;

/** A model that tells face from what covers it. */
export class RegionMask {
  readonly #entry: EntryOf<'masker'>;
  readonly #fit: ProfileBinding;
  readonly #kernels: Kernels;
  readonly #session: ModelSession;
  readonly #crop: Float32Array;
  readonly #mask: Float32Array;
  readonly #side: number;

  private constructor(...[entry, fit, kernels, session]: [EntryOf<'masker'>, ProfileBinding, Kernels, ModelSession]) {
    this.#entry = entry;
    this.#fit = fit;
    this.#kernels = kernels;
    this.#session = session;
    this.#crop = kernels.floats(fit.size * fit.size * 3);
    this.#side = entry.profile.classes === undefined ? fit.size : Math.floor(fit.size / CLASS_STEP);
    this.#mask = new Float32Array(this.#side * this.#side);
  }

  /** @throws FaceOffError when the model is missing, another file, or does not fit its profile. */
  static async open(
    ...[catalogue, entry, maxPixels, options]: [Catalogue, EntryOf<'masker'>, number, OpenOptions]
  ): Promise<RegionMask> {
    const fit = bindPlain(entry, entry.profile, graphOf(catalogue, entry));
    const kernels = await Kernels.load(maxPixels, 2 * fit.size * fit.size * 12 + 4096);
    const session = await openBound(catalogue, entry, fit, kernels, options);
    return new RegionMask(entry, fit, kernels, session);
  }

  /** Lessens the opacity [n, n] of a square's crop where there is no face. @param call by when, see Strokes. */
  async limit(...[frame, square, opacity, n, call = {}]: [Frame, Square, Uint8Array, number, RunCall?]): Promise<void> {
    const rect = boundsOf(square, 2, frame.width, frame.height);
    if (rect === null) return;
    const { profile } = this.#entry;
    const { size, input, output } = this.#fit;
    this.#kernels.load(frame, rect).crop(square, { values: this.#crop, n: size });
    const tiling = { n: size, k: 1, layout: layoutOf(profile, size) };
    this.#kernels.tiles(this.#crop, tiling, rangeOf(profile), this.#session.inputs[input]!);
    await this.#session.run(call);
    this.#read(this.#session.outputs[output]!);
    atMost(opacity, n, this.#mask, this.#side);
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  #read(output: Float32Array): void {
    const { classes, layout } = this.#entry.profile;
    if (classes === undefined) {
      // Half certain is the edge: below it is not face, above it soon all face.
      for (let i = 0; i < this.#mask.length; i++) this.#mask[i] = 2 * Math.max(0, output[i]! - 0.5);
      return;
    }
    const { size } = this.#fit;
    const pixels = size * size;
    const count = output.length / pixels;
    const [pixel, channel] = layout === 'nchw' ? [1, pixels] : [count, 1];
    const face = new Set(classes);
    for (let y = 0; y < this.#side; y++) {
      for (let x = 0; x < this.#side; x++) {
        const at = (y * CLASS_STEP * size + x * CLASS_STEP) * pixel;
        let best = 0;
        for (let c = 1; c < count; c++) if (output[at + c * channel]! > output[at + best * channel]!) best = c;
        this.#mask[y * this.#side + x] = face.has(best) ? 1 : 0;
      }
    }
  }
}
