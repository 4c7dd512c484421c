/**
 * Tuning of how the live face's light is put on the source's skin. Luma and chroma are in steps of 1/255; rings are
 * edges of the mesh from the face's rim, which is ring 0; "seen" is the cosine between a point's normal and the
 * direction to the camera. "A call" is one call of `Relight.follow`: every third frame. Hand-tuned, and checked by
 * the looks measurements (bench/README.md) over five webcam clips, unless a field says what set it.
 */
export const RELIGHT_TUNING = {
  /**
   * Weight of each neighbour against a point's own luma sample, 0 or more: how far the residual at the rim spreads
   * inwards.
   */
  lumaSpread: 15,
  /** Weight of each neighbour against a point's own chroma sample, 0 or more. */
  chromaSpread: 3,
  /** Rings up to which a point belongs to the rim. */
  rimRings: 1,
  /**
   * Weight of a point at the rim, above 0: there the drawn skin meets the live skin, so the light is taken over as it
   * is.
   */
  rimWeight: 200,
  /**
   * Weight of a point at the rim in the fit of the light as a whole, above 0: more than other parts, as a difference
   * shows at the rim, but not all.
   */
  rimWeightInLight: 10,
  /**
   * Least factor on a point's weight by "seen", 0..1: a point at the rim that is hardly seen has hardly any weight.
   */
  unseenWeight: 0.005,
  /** Weight with which the inside keeps the source's features, in luma; above 0. */
  featureWeight: 60,
  /** Ring up to which the source's features do not show: hair and shadow at its edge are not its face. */
  featuresFrom: 1,
  /** Ring from which the source's features show whole; above `featuresFrom`. */
  featuresTo: 3,

  /** Edges from the mouth's inner edge up to which points have no weight. */
  mouthRings: 2,
  /** Edges from the eyes up to which points have no weight. */
  eyeRings: 1,
  /** Height of the canonical face in centimetres below which there may be a beard. */
  beardBelow: -2.5,
  /** Weight of points there, 0..1. Set by a bearded face, which made the light grey and dark; no measure changed. */
  beardWeight: 0.2,

  /** Least contrast of the live face over the source's that is taken over; above 0. */
  contrastLeast: 0.5,
  /** Greatest contrast that is taken over. */
  contrastMost: 1.05,
  /**
   * Share of the measured contrast that is taken over; above 0. Set by measurement: nearer to the source than 1 on
   * every clip, as photos are lit harder.
   */
  contrastShare: 0.85,
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
  /**
   * Difference in luma from what the light makes of the source's skin at which a point's likeness is half; above 0.
   */
  unlikeLuma: 20,
  /**
   * Difference in chroma from what the light makes of the source's skin at which a point's likeness is half; above 0.
   */
  unlikeChroma: 8,
  /**
   * Share of the way that the likeness moves; 0..1 a call: hair that swings is noticed in a third of a second, one
   * odd frame is not.
   */
  likenessFollow: 0.28,

  /**
   * Points whose difference lies further from the median than so many interquartile ranges count half: they show an
   * occluder.
   */
  outlierRanges: 2.5,
  /** Least such distance; luma, above 0. */
  outlierWidthLeast: 12,
  /** Least "seen" of a point that the median is taken of; 0..1. */
  outlierSeenLeast: 0.3,
  /** Least number of such points; with fewer, none is an outlier. */
  outlierPointsLeast: 20,

  /** Sweeps in the first call for a face, 1 or more. Set by cost: 150 changed nothing that shows and took 1.4 ms. */
  firstSweeps: 30,
  /** Sweeps in each call after it; 1 or more. */
  sweeps: 4,
  /** Relaxation factor of a sweep, 1..2: 1 is Gauss-Seidel. At 1.5 half the sweeps suffice. */
  relaxation: 1.5,
};

/** Values of the relighting that an experiment may set anew; see `RELIGHT_TUNING` for units and ranges. */
export type RelightTuning = Readonly<typeof RELIGHT_TUNING>;
