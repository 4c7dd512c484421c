/**
 * Profiles: neural models described as data, with the template of the crop, the range of values and the recipe of the
 * source. One engine serves every model by its profile and never checks a model's name. The conventions are those of
 * the programs that these files come from; a file is bound to its profile by shapes (bind-profile.ts).
 */

import { z } from 'zod';

/**
 * Five points of an aligned crop, x, y as shares of its side: eyes (left on screen first), nose tip, mouth corners.
 * arcface_112_v2 is ArcFace's own (Deng et al. 2019), ffhq_512 that of FFHQ crops (Karras et al. 2019).
 */
export const TEMPLATES = {
  arcface_112_v1: [
    0.35473214, 0.45658929, 0.64526786, 0.45658929, 0.5, 0.61154464, 0.37913393, 0.776875, 0.62086607, 0.776875,
  ],
  arcface_112_v2: [
    0.34191607, 0.46157411, 0.65653393, 0.45983393, 0.500225, 0.64050536, 0.37097589, 0.82469196, 0.63151696,
    0.82325089,
  ],
  arcface_128: [
    0.36167656, 0.40387734, 0.63696719, 0.40235469, 0.50019687, 0.56044219, 0.38710391, 0.72160547, 0.61507734,
    0.72034453,
  ],
  dfl_whole_face: [
    0.35342266, 0.39285716, 0.62797622, 0.39285716, 0.48660713, 0.5401786, 0.38839287, 0.68750011, 0.59821427,
    0.68750011,
  ],
  ffhq_512: [
    0.37691676, 0.46864664, 0.62285697, 0.46912813, 0.50123859, 0.61331904, 0.39308822, 0.725411, 0.61150205,
    0.72490465,
  ],
  mtcnn_512: [
    0.36562865, 0.46733799, 0.63305391, 0.46585885, 0.50019127, 0.61942959, 0.39032951, 0.77598822, 0.61178945,
    0.77476328,
  ],
} as const;

/** Name of an alignment template. */
export type TemplateName = keyof typeof TEMPLATES;

const Template = z.enum(Object.keys(TEMPLATES) as [TemplateName, ...TemplateName[]]);
const Triple = z.tuple([z.number(), z.number(), z.number()]);
const Side = z.int().min(32).max(2048);

/**
 * Form of an input picture: value = (colour − mean) / std for colours 0..1; mean and std are for R, G, B in this order.
 */
const picture = {
  /** Side in pixels; null reads it from the file. */
  size: Side.nullable(),
  layout: z.enum(['nchw', 'nhwc']).default('nchw'),
  order: z.enum(['rgb', 'bgr']).default('rgb'),
  mean: Triple,
  std: Triple,
};
/** Form of the output picture, in the input's layout and order: colour = value · std + mean. */
const Output = z.strictObject({ mean: Triple, std: Triple });

const Source = z.discriminatedUnion('kind', [
  /** The model was trained for one person. */
  z.strictObject({ kind: z.literal('none') }),
  z.strictObject({ kind: z.literal('picture'), template: Template, ...picture }),
  z.strictObject({
    kind: z.literal('embedding'),
    /** Name of the recogniser that makes the raw embedding. */
    recogniser: z.string(),
    /**
     * normed: e / |e|. emap: e / |e| times the matrix that is the graph's last initializer, normalised again, as
     * InsightFace does. converter: another model converts e, and the result is normalised if `unit` is true.
     */
    recipe: z.enum(['normed', 'emap', 'converter']),
    converter: z.string().optional(),
    unit: z.boolean().default(true),
  }),
]);

const Generator = z.strictObject({
  role: z.literal('generator'),
  template: Template,
  ...picture,
  output: Output,
  source: Source,
  /** Value of inputs of one number. */
  scalar: z.number().default(1),
  /** Whether the model's own one-channel outputs limit the paste. */
  masks: z.boolean().default(false),
  /** Share of the colour transfer from the live crop, 0..1. */
  colour: z.number().min(0).max(1).default(0.5),
});

const Restorer = z.strictObject({
  role: z.literal('restorer'),
  template: Template,
  ...picture,
  output: Output,
  /** Value of inputs of one number; CodeFormer's fidelity: 0 looks best, 1 is closest to the input. */
  scalar: z.number().default(1),
});

const Recogniser = z.strictObject({
  role: z.literal('recogniser'),
  template: Template,
  ...picture,
  length: z.int().positive(),
});

/** Converts one recogniser's embedding into another's. */
const Converter = z.strictObject({ role: z.literal('converter'), length: z.int().positive() });

/** Segments the face of a crop. */
const Masker = z.strictObject({
  role: z.literal('masker'),
  ...picture,
  /** Classes that count as face, for a parser; without them the model's one channel is the mask. */
  classes: z.array(z.int().min(0)).optional(),
});

/** Validates a profile of the catalogue. */
export const Profile = z.discriminatedUnion('role', [Generator, Restorer, Recogniser, Converter, Masker]);

/** A profile of any role. */
export type Profile = z.infer<typeof Profile>;
/** Generates a face from an aligned crop and a source. */
export type GeneratorProfile = z.infer<typeof Generator>;
/** Restores a face from an aligned crop. */
export type RestorerProfile = z.infer<typeof Restorer>;
/** Computes an identity embedding from an aligned crop. */
export type RecogniserProfile = z.infer<typeof Recogniser>;
/** Converts one recogniser's embedding into another's. */
export type ConverterProfile = z.infer<typeof Converter>;
/** Segments the face of a crop. */
export type MaskerProfile = z.infer<typeof Masker>;
/** How a generator's source tensor is made. */
export type SourceRecipe = z.infer<typeof Source>;
/** The profile of a role. */
export type ProfileOf<R extends Profile['role']> = Extract<Profile, { role: R }>;

/** Form of an input picture: side, layout, channel order, mean and std. */
export type PictureForm = Pick<GeneratorProfile, 'size' | 'layout' | 'order' | 'mean' | 'std'>;
