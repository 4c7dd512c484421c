/** Opacity of an aligned crop's paste: a box with soft edges, limited to the face by a masker model. */

import type { Square } from '../../../shared/geometry.ts';
import { boundsOf } from '../../../shared/geometry.ts';
import type { Frame } from '../../../shared/types.ts';
import type { ModelSession, RunCall } from '../../inference/model-session.ts';
import { Kernels } from '../../kernels/kernels.ts';
import type { Catalogue, EntryOf } from '../../models/catalogue.ts';
import { bindPlain, type ProfileBinding } from './bind-profile.ts';
import { graphOf, type OpenOptions, openBoundModel } from './open-model.ts';
import { layoutOf, rangeOf } from './tensor-layout.ts';

/** Width of the soft edge as a share of the crop's side. */
const FEATHER = 0.15;

const smoothstep = (t: number): number => t * t * (3 - 2 * t);

/** Fills the box of an n x n crop, 0..255: 0 in its outermost pixels, as the paste kernel requires, 255 further in. */
export function boxMask(n: number, into: Uint8Array): void {
  const along = Float32Array.from({ length: n }, (_, i) =>
    smoothstep(Math.min(1, Math.min(i, n - 1 - i) / (FEATHER * n))),
  );
  for (let y = 0; y < n; y++) for (let x = 0; x < n; x++) into[y * n + x] = Math.round(255 * along[y]! * along[x]!);
}

/**
 * Limits an opacity [n, n], 0..255, to a mask of another size, sampled bilinearly.
 * @param mask [side, side], 0..1; values beyond are clamped.
 */
export function limitOpacity(opacity: Uint8Array, n: number, mask: Float32Array, side: number): void {
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

/** Stride in pixels at which a parser's classes are compared; the mask is interpolated in between. */
const CLASS_STEP = 2;

/** The opacity of an n x n crop, 0..255. */
export interface OpacityMap {
  values: Uint8Array;
  n: number;
}

/** A masker model that separates face from occluders, with kernels of its own. Runs in the lane worker. */
export class RegionMask {
  readonly #entry: EntryOf<'masker'>;
  readonly #binding: ProfileBinding;
  readonly #kernels: Kernels;
  readonly #session: ModelSession;
  readonly #crop: Float32Array;
  readonly #mask: Float32Array;
  readonly #side: number;

  private constructor(entry: EntryOf<'masker'>, binding: ProfileBinding, kernels: Kernels, session: ModelSession) {
    this.#entry = entry;
    this.#binding = binding;
    this.#kernels = kernels;
    this.#session = session;
    this.#crop = kernels.floats(binding.size * binding.size * 3);
    this.#side = entry.profile.classes === undefined ? binding.size : Math.floor(binding.size / CLASS_STEP);
    this.#mask = new Float32Array(this.#side * this.#side);
  }

  /**
   * @param maxPixels largest frame, in luma pixels.
   * @throws FaceOffError `model_missing`, `model_differs`, `model_unfit`, `model_unusable`.
   */
  static async open(
    catalogue: Catalogue,
    entry: EntryOf<'masker'>,
    maxPixels: number,
    options: OpenOptions,
  ): Promise<RegionMask> {
    const binding = bindPlain(entry, entry.profile, graphOf(catalogue, entry));
    const kernels = await Kernels.load(maxPixels, 2 * binding.size * binding.size * 12 + 4096);
    const session = await openBoundModel(catalogue, { entry, binding, kernels }, options);
    return new RegionMask(entry, binding, kernels, session);
  }

  /** Reduces the opacity of a square's crop where there is no face. @throws whatever the model's run throws. */
  async limit(frame: Frame, square: Square, opacity: OpacityMap, call: RunCall = {}): Promise<void> {
    const rect = boundsOf(square, 2, frame.width, frame.height);
    if (rect === null) return;
    const { profile } = this.#entry;
    const { size, input, output } = this.#binding;
    this.#kernels.load(frame, rect).crop(square, { values: this.#crop, n: size });
    const tiling = { n: size, k: 1, layout: layoutOf(profile, size) };
    this.#kernels.tiles(this.#crop, tiling, rangeOf(profile), this.#session.inputs[input]!);
    await this.#session.run(call);
    this.#readMask(this.#session.outputs[output]!);
    limitOpacity(opacity.values, opacity.n, this.#mask, this.#side);
  }

  /** Idempotent. */
  close(): Promise<void> {
    return this.#session.close();
  }

  /** Fills the mask, 0..1, from the model's output: one channel, or a channel per class. */
  #readMask(output: Float32Array): void {
    const { classes, layout } = this.#entry.profile;
    if (classes === undefined) {
      // The edge is at 0.5: lower values are no face, higher ones rise to 1 with twice the slope.
      for (let i = 0; i < this.#mask.length; i++) this.#mask[i] = 2 * Math.max(0, output[i]! - 0.5);
      return;
    }
    const { size } = this.#binding;
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
