import type { Texture } from '../../kernels/frame-region.ts';
import type { Kernels } from '../../kernels/kernels.ts';
import type { LiveFace } from '../engine.ts';
import { ATLAS, type Planes } from './source/atlas-layout.ts';
import { type MeshFace, type Smile, SOFTNESS_LEVELS } from './source/mesh-face.ts';
import { EXPRESSION_TUNING, type ExpressionTuning, smileOf } from './source/neutralise-expression.ts';
import { TEXTURE_TUNING, type TextureTuning } from './swapper-tuning.ts';

/**
 * The texture in kernel memory that one source face is drawn from: as soft as suits the live face's size in the
 * frame, and with as much of the source's smile as the live person shows.
 */
export class SourceTexture {
  readonly #kernels: Kernels;
  #face: MeshFace;
  readonly #tuning: TextureTuning;
  readonly #expression: ExpressionTuning;
  /** The texture to draw from; content and place stay valid until `close`. */
  readonly texture: Texture;
  #level = -1;
  /** How much of the source's smile is taken out of the texture, 0..1. */
  #neutralised = 0;
  /** How broadly the live person smiles, 0..1, smoothed; null before the first frame. */
  #liveSmile: number | null = null;
  /** While the texture changes to another face: that face's at the present level, and how far the change has come. */
  #change: { target: Planes; share: number } | null = null;
  #isClosed = false;

  constructor(
    kernels: Kernels,
    face: MeshFace,
    tuning: TextureTuning = TEXTURE_TUNING,
    expression: ExpressionTuning = EXPRESSION_TUNING,
  ) {
    this.#kernels = kernels;
    this.#face = face;
    this.#tuning = tuning;
    this.#expression = expression;
    this.texture = kernels.texture(ATLAS);
  }

  /** Changes to another face: at once, or as `mix` says, until it says 1. */
  change(face: MeshFace, isGradual: boolean): void {
    this.#face = face;
    this.#neutralised = 0;
    if (isGradual) this.#change = { target: this.#target(), share: 0 };
    else this.#level = -1;
  }

  /** Brings a change to `share` of its way, 0..1: what is left of it shrinks, so that no copy of the old face is kept. */
  mix(share: number): void {
    const change = this.#change;
    if (change === null || share === change.share) return;
    const step = share === 1 ? 1 : (share - change.share) / (1 - change.share);
    change.share = share;
    if (step === 1) this.#change = null;
    const { y, u, v } = this.texture;
    const { target } = change;
    approach(y, target.y, step);
    approach(u, target.u, step);
    approach(v, target.v, step);
  }

  /**
   * Follows the live face of a frame. During a change, the level and the smile of the texture stay.
   * @param sharpness 1 as soft as the camera would see the source, 0 as sharp as the photo.
   */
  follow({ square, points }: LiveFace, sharpness: number): void {
    const { levels, smile } = this.#face;
    const { levelStep, smileFollow, smileStep } = this.#tuning;
    const now = smileOf(points, this.#expression);
    this.#liveSmile = this.#liveSmile === null ? now : this.#liveSmile + smileFollow * (now - this.#liveSmile);
    if (this.#change !== null) return;
    const softness = Math.min(SOFTNESS_LEVELS - 1, Math.max(0, 2 * Math.log2(ATLAS / square.side)));
    const wanted = sharpness * softness;
    const isOff = this.#level < 0 || Math.abs(wanted - this.#level) >= levelStep;
    if (isOff) {
      this.#level = Math.round(wanted);
      const { y, u, v } = levels[this.#level]!;
      this.texture.y.set(y);
      this.texture.u.set(u);
      this.texture.v.set(v);
    }
    if (smile === null) return;
    const neutralised = Math.max(0, smile.breadth - this.#liveSmile);
    if (!isOff && Math.abs(neutralised - this.#neutralised) < smileStep) return;
    this.#neutralised = neutralised;
    this.#neutralise(smile, this.texture.y);
  }

  /** Returns the texture to the kernels. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#kernels.release(this.texture);
  }

  /** The present face's texture as it is to be drawn at the present level. */
  #target(): Planes {
    const { levels, smile } = this.#face;
    const { y, u, v } = levels[this.#level]!;
    if (smile === null || this.#liveSmile === null) return { y, u, v };
    const luma = y.slice();
    this.#neutralised = Math.max(0, smile.breadth - this.#liveSmile);
    this.#neutralise(smile, luma);
    return { y: luma, u, v };
  }

  #neutralise({ texels, neutral }: Smile, luma: Uint8Array): void {
    const { y } = this.#face.levels[this.#level]!;
    const without = neutral[this.#level]!;
    const share = Math.round(256 * this.#neutralised);
    for (let k = 0; k < texels.length; k++) {
      const texel = texels[k]!;
      luma[texel] = y[texel]! + ((share * (without[k]! - y[texel]!) + 128) >> 8);
    }
  }
}

/** Moves every sample by a share of its way to the target's, 0..1. */
function approach(samples: Uint8Array, target: Uint8Array, share: number): void {
  if (share === 1) {
    samples.set(target);
    return;
  }
  const factor = Math.round(256 * share);
  for (let k = 0; k < samples.length; k++) {
    const before = samples[k]!;
    samples[k] = before + ((factor * (target[k]! - before) + 128) >> 8);
  }
}
