/**
 * Tuning of how the live face's light is put on the source's skin. Luma and chroma are in steps of 1/255; rings are
 * edges of the mesh from the face's rim, which is ring 0; "seen" is the cosine between a point's normal and the
 * direction to the camera. "A call" is one call of `Relight.follow`: every third frame. Hand-tuned, and checked by
 * looks measurements over twenty webcam pairs, unless a field says what set it.
 */
export const RELIGHT_TUNING = {
  /** Difference in natural log of luma from the lit mean face at which a point's likeness is half; above 0. */
  unlikeLuma: 0.3,
  /** Difference in chroma per luma from the lit mean face at which a point's likeness is half; above 0. */
  unlikeChroma: 0.07,
  /** Fits of the light to the mean face in the first call for a face; 1 or more. */
  firstFits: 8,
  /** Fits in each call after it, from the last weights on; 1 or more. */
  fits: 2,
  /**
   * Share of the way that the likeness moves; 0..1 a call: hair that swings is noticed in a third of a second, one
   * odd frame is not.
   */
  likenessFollow: 0.28,

  /**
   * Weight of each neighbour against a point's own log luma, 0 or more: how far the residual spreads. Less would
   * carry the live person's features over.
   */
  lumaSpread: 1.2,
  /** The same for chroma. */
  chromaSpread: 1.5,
  /** Rings up to which a point belongs to the rim, where the drawn skin meets the live skin. */
  rimRings: 2,
  /** Factor on the weight of a point at the rim; above 0. */
  rimWeight: 4,
  /** Least likeness that a point at the rim counts with; 0..1. */
  rimLikenessLeast: 0.3,
  /** Weight that pulls the residual to 0 where little is known of the live skin; 0 or more. */
  priorWeight: 0.05,
  /** Least factor on a point's weight by "seen", 0..1. */
  unseenWeight: 0.005,
  /** Bound of the gain, natural log, either way. */
  gainMost: 1.6,

  /** Edges from the mouth's inner edge up to which points have no weight. */
  mouthRings: 2,
  /** Edges from the eyes up to which points have no weight. */
  eyeRings: 1,
  /** Height of the canonical face in centimetres below which there may be a beard. */
  beardBelow: -2.5,
  /** Weight of points there, 0..1. Set by a bearded face, which made the light grey and dark; no measure changed. */
  beardWeight: 0.2,

  /** Least contrast of the live face over the source's that is taken over; above 0. */
  contrastLeast: 0.8,
  /** Greatest contrast that is taken over. */
  contrastMost: 1.5,
  /** Share of the measured contrast that is taken over; above 0. */
  contrastShare: 1,
  /** Share of the way that contrast and saturation move towards their new value; 0..1 a call. */
  contrastFollow: 0.15,
  /** Rings from the rim from which points count for the contrast. */
  contrastFromRing: 3,
  /** Least "seen" of such a point; 0..1. */
  contrastSeenLeast: 0.5,
  /** Least factor on the source's chroma; above 0. */
  saturationLeast: 0.3,
  /** Greatest factor on the source's chroma. */
  saturationMost: 1.5,

  /**
   * Share of the way that the light as a whole moves; 0..1 a call. At 0.28 a lamp switched on is taken over in a
   * third of a second.
   */
  lightFollow: 0.28,
  /** Sweeps in the first call for a face, 1 or more. Set by cost: 150 changed nothing that shows and took 1.4 ms. */
  firstSweeps: 30,
  /** Sweeps in each call after it; 1 or more. */
  sweeps: 4,
  /** Relaxation factor of a sweep, 1..2: 1 is Gauss-Seidel. At 1.5 half the sweeps suffice. */
  relaxation: 1.5,
};

/** Values of the relighting that an experiment may set anew; see `RELIGHT_TUNING` for units and ranges. */
export type RelightTuning = Readonly<typeof RELIGHT_TUNING>;
