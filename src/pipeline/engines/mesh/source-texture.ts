import type { Texture } from '../../kernels/frame-region.ts';
import type { Kernels } from '../../kernels/kernels.ts';
import type { LiveFace } from '../engine.ts';
import { ATLAS } from './source/atlas-layout.ts';
import { type MeshFace, type Smile, SOFTNESS_LEVELS } from './source/mesh-face.ts';
import { EXPRESSION_TUNING, type ExpressionTuning, smileOf } from './source/neutralise-expression.ts';
import { TEXTURE_TUNING, type TextureTuning } from './swapper-tuning.ts';

/**
 * The texture in kernel memory that one source face is drawn from: as soft as suits the live face's size in the
 * frame, and with as much of the source's smile as the live person shows.
 */
export class SourceTexture {
  readonly #kernels: Kernels;
  readonly #face: MeshFace;
  readonly #tuning: TextureTuning;
  readonly #expression: ExpressionTuning;
  /** The texture to draw from; content and place stay valid until `close`. */
  readonly texture: Texture;
  #level = -1;
  /** How much of the source's smile is taken out of the texture, 0..1. */
  #neutralised = 0;
  /** How broadly the live person smiles, 0..1, smoothed; null before the first frame. */
  #liveSmile: number | null = null;
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

  /**
   * Follows the live face of a frame.
   * @param sharpness 1 as soft as the camera would see the source, 0 as sharp as the photo.
   */
  follow({ square, points }: LiveFace, sharpness: number): void {
    const { levels, smile } = this.#face;
    const { levelStep, smileFollow, smileStep } = this.#tuning;
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
    const now = smileOf(points, this.#expression);
    this.#liveSmile = this.#liveSmile === null ? now : this.#liveSmile + smileFollow * (now - this.#liveSmile);
    const neutralised = Math.max(0, smile.breadth - this.#liveSmile);
    if (!isOff && Math.abs(neutralised - this.#neutralised) < smileStep) return;
    this.#neutralised = neutralised;
    this.#neutralise(smile);
  }

  /** Returns the texture to the kernels. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#kernels.release(this.texture);
  }

  #neutralise({ texels, neutral }: Smile): void {
    const { y } = this.#face.levels[this.#level]!;
    const without = neutral[this.#level]!;
    const texture = this.texture.y;
    const share = Math.round(256 * this.#neutralised);
    for (let k = 0; k < texels.length; k++) {
      const texel = texels[k]!;
      texture[texel] = y[texel]! + ((share * (without[k]! - y[texel]!) + 128) >> 8);
    }
  }
}
