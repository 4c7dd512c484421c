/** Tuning of when, and from which points, the swapper measures the live face. */
export const SWAPPER_TUNING = {
  /** Frames of a face, one after another, in which the light is measured at first; 0 or more. */
  lightFirstFrames: 8,
  /**
   * Frames from one measurement of the light to the next after that; 1 or more. Set by flicker and cost: light
   * changes slowly, and more frequent measurement passes more of the noise on.
   */
  lightEveryFrames: 3,
  /**
   * Distance to the frame's edge below which a point is ignored, as its surroundings are cut off; share of the
   * face's square.
   */
  edgeMargin: 0.02,
};

/** Tuning of how the texture follows the live face. Hand-tuned. */
export const TEXTURE_TUNING = {
  /** Distance from the wanted softness at which the level is changed, so that it does not flip; levels, above 0.5. */
  levelStep: 0.75,
  /** Share of the way that the smile moves to the live mouth's; 0..1 a frame. */
  smileFollow: 0.3,
  /** Change of the smile that is worth touching the texture for; 0..1. Up to 28,000 texels are touched, 0.08 ms. */
  smileStep: 0.04,
};

/** Values of the texture that an experiment may set anew; see `TEXTURE_TUNING` for units and ranges. */
export type TextureTuning = Readonly<typeof TEXTURE_TUNING>;
