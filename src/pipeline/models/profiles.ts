/**
 * What a neural model is, as data: the crop it wants, the range of its values, what it wants to know of the source. One
 * engine serves every model from its profile and never asks for a model's name. The conventions are those of the
 * programs these files come from; a file is tied to its profile by shapes (fit.ts).
 */

import { z } from 'zod';

/**
 * Five points of an aligned crop as shares of its side: eyes (left on screen first), nose tip, mouth corners.
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

export type TemplateName = keyof typeof TEMPLATES;

const Template = z.enum(Object.keys(TEMPLATES) as [TemplateName, ...TemplateName[]]);
const Triple = z.tuple([z.number(), z.number(), z.number()]);
const Side = z.int().min(32).max(2048);

/** How a picture is put to a model: value = (colour − mean) / std for colours 0..1, R G B first to last in both lists. */
const picture = {
  /** Side in pixels; null takes it from the file. */
  size: Side.nullable(),
  layout: z.enum(['nchw', 'nhwc']).default('nchw'),
  order: z.enum(['rgb', 'bgr']).default('rgb'),
  mean: Triple,
  std: Triple,
};
/** The picture that comes out, in the input's layout and order: colour = value · std + mean. */
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
     * normed: e / |e|. emap: e / |e| times the matrix that is the graph's last initializer, then of length one, as
     * InsightFace does it. converter: another model turns e into its own, of length one where `unit` says so.
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
  /** What an input of one number is given. */
  scalar: z.number().default(1),
  /** Whether the model's own one-channel outputs limit what is pasted. */
  masks: z.boolean().default(false),
  /** How far the picture's mean and spread of colour are drawn to those of the live crop, 0..1. */
  colour: z.number().min(0).max(1).default(0.5),
});

const Restorer = z.strictObject({
  role: z.literal('restorer'),
  template: Template,
  ...picture,
  output: Output,
  /** What an input of one number is given; CodeFormer's: 0 looks best, 1 is truest. */
  scalar: z.number().default(1),
});

const Recogniser = z.strictObject({
  role: z.literal('recogniser'),
  template: Template,
  ...picture,
  length: z.int().positive(),
});

/** Turns one recogniser's embedding into another's. */
const Converter = z.strictObject({ role: z.literal('converter'), length: z.int().positive() });

/** Says which part of a crop is face. */
const Masker = z.strictObject({
  role: z.literal('masker'),
  ...picture,
  /** Classes that are face, where the model tells classes apart; else its one channel is the mask. */
  classes: z.array(z.int().min(0)).optional(),
});

export const Profile = z.discriminatedUnion('role', [Generator, Restorer, Recogniser, Converter, Masker]);

export type Profile = z.infer<typeof Profile>;
export type GeneratorProfile = z.infer<typeof Generator>;
export type RestorerProfile = z.infer<typeof Restorer>;
export type RecogniserProfile = z.infer<typeof Recogniser>;
export type ConverterProfile = z.infer<typeof Converter>;
export type MaskerProfile = z.infer<typeof Masker>;
export type SourceRecipe = z.infer<typeof Source>;
export type ProfileOf<R extends Profile['role']> = Extract<Profile, { role: R }>;

/** How a picture is put to a model. */
export type PictureForm = Pick<GeneratorProfile, 'size' | 'layout' | 'order' | 'mean' | 'std'>;
