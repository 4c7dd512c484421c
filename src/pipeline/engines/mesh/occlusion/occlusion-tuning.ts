/**
 * Tuning of the occlusion test, which tells an occluder (hand, cup, microphone, hair) from the face. Luma and chroma
 * are in steps of 1/255; "seen" is the cosine between a part's normal and the direction to the camera, 1 is frontal.
 * Hand-tuned, and checked by the looks measurements (bench/README.md) over five webcam clips, unless a field says
 * what set it.
 */
export const OCCLUSION_TUNING = {
  /** Frames of a texel that the model learns from before the texel is compared; 1 or more. */
  framesToTrust: 4,
  /**
   * Frames in which every texel is compared; later every second texel in alternation while nothing occludes the face.
   * Set by cost: with the two fields below a frame's occlusion test takes a third of the time.
   */
  framesOfAllTexels: 16,
  /**
   * Texels from one to the next that the change of light is fitted to; 1 or more. Light changes slowly over the map.
   */
  lightTexelStep: 4,
  /** Frames between searches for the model's edges; 1 or more. Edges change slowly over time. */
  edgeEveryFrames: 8,

  /**
   * Share of the way that the model moves to a frame's texel that shows the face; 0..1 a frame, at least 1/n in frame
   * n.
   */
  follow: 0.12,
  /**
   * Share of the way that the model moves to an occluded texel; 0..1 a frame. Not 0, so that an object that stays
   * becomes part of the face.
   */
  followOccluded: 0.004,
  /**
   * Share of the map, 0..1, above which every texel is learned at `followOccluded`: that large an occluder may
   * mislead the landmarks, and the mesh with them. Set with bars that move over the face (test/media, occlusion).
   */
  misleadingCoverage: 0.04,

  /** Usual deviations of a texel by which it may differ from the model; 0 or more. */
  deviations: 2.5,
  /** Luma by which every texel may differ besides; 0..255. */
  lumaLeast: 12,
  /** Chroma by which every texel may differ besides; 0..255. */
  chromaLeast: 5,
  /**
   * Share of a luma step between neighbouring texels that a small error of the landmarks may add at an edge; 0..1.
   */
  slip: 0.7,
  /** Edges of the mesh from the eyes and from the mouth within which a texel counts as mobile; 0 or more. */
  mobileRings: 2,
  /**
   * Factor on the tolerance of mobile texels (lids, brows, lips), whose movement the mesh does not follow; 1 or more.
   */
  mobileTolerance: 1.4,
  /** Growth of the tolerance per unit of change in "seen": a part at another angle is lit differently; 0 or more. */
  turnTolerance: 1.5,
  /** Least "seen" of a part that is compared or learned; 0..1. */
  seenLeast: 0.2,
  /**
   * Change in "seen", 0..1, from which the model of a texel no longer applies and is learned anew. Set by heads that
   * turn: cheeks that were learned edge-on were marked as occluders.
   */
  viewApart: 0.35,

  /** Passes of the robust fit of the change of light; 1 or more. */
  lightPasses: 3,
  /** Luma at which a texel has half of its weight in the first pass of that fit; above 0. */
  lightReachFirst: 40,
  /** Luma at which a texel has half of its weight in the passes after the first; above 0. */
  lightReach: 15,
  /** Share of its weight that a wholly occluded texel loses in that fit; 0..1. */
  lightOccluded: 0.9,

  /** Share of the tolerance from which a texel is marked; 0..1. */
  markFrom: 0.75,
  /** Growth of the mark, which ends at 1, per tolerance beyond that; above 0. */
  markSlope: 2,
  /** Least mean of the marks over 3×3 texels for the middle to stay marked; 0..1. Lone marks are noise. */
  markMeanLeast: 0.4,
  /**
   * Share of the map, 0..1, below which a component that touches neither the face's border nor the mouth is removed:
   * it is a shadow's edge or a highlight that moved over the skin. Set by sunlit streaks that stayed unswapped for
   * seconds.
   */
  componentLeast: 0.03,
  /**
   * Share of the map, 0..1, below which such a component is removed where the last mask was empty; a larger one may
   * be a hand whose arm looks like the skin behind.
   */
  newComponentLeast: 0.12,
  /** Share of a component, 0..1, that must overlap the last mask for it not to be new. */
  overlapLeast: 0.25,
  /** Factor on the smoothed mask, so that its soft edge lies further out; 1 or more. */
  maskGain: 1.5,
  /** Share of the mask that stays from frame to frame, 0..1: at 0.4 it is gone within three. */
  linger: 0.4,
  /** Least value of the mask that counts; 0..255. */
  maskLeast: 8,

  /** Share of the compared texels, 0..1, above which so many differ that the model itself is suspected. */
  wrongCoverage: 0.7,
  /** Frames of that, one after another, after which the model is forgotten; 0 or more. */
  wrongFrames: 20,
};

/** Values of the occlusion test that an experiment may set anew; see `OCCLUSION_TUNING` for units and ranges. */
export type OcclusionTuning = Readonly<typeof OCCLUSION_TUNING>;
