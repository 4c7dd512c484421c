/**
 * Ties a file to its profile. What an input or output is for is told by its shape, never by its name: exports of one model
 * go by many names. Only where two inputs have the same shape does the file's own word `source` decide.
 */

import { FaceOffError } from '../../../shared/errors.ts';
import type { ModelShape } from '../../inference/model-session.ts';
import type { OptionalEntry } from '../../models/catalogue.ts';
import type { Graph, GraphValue } from '../../models/onnx-graph.ts';
import type {
  ConverterProfile,
  GeneratorProfile,
  MaskerProfile,
  PictureForm,
  RecogniserProfile,
  RestorerProfile,
} from '../../models/profiles.ts';

/** A file that fits: how to open it, and which tensor is which. */
export interface ProfileBinding {
  shape: ModelShape;
  /** Inputs of one double. */
  doubles: Record<string, number>;
  /** Inputs of one float, with what they are given. */
  scalars: Record<string, number>;
  /** Side of the picture that goes in, in pixels; 0 for a model that takes none. */
  size: number;
  /** Pictures one run takes. */
  batch: number;
  /** Whether the file leaves open how many. */
  open: boolean;
  input: string;
  /** What the model knows of the source; null where it needs nothing. */
  source: string | null;
  output: string;
  /** One-channel outputs of the picture's size. */
  masks: string[];
}

type Shape = (number | null)[];

/**
 * @param batch how many pictures one run should take; the file may be fixed to one.
 * @throws FaceOffError `model_unfit` saying what the profile wants and what the file has.
 */
export function bindGenerator(
  entry: OptionalEntry,
  profile: GeneratorProfile | RestorerProfile,
  graph: Graph,
  batch: number,
): ProfileBinding {
  const open = new Inputs(entry, graph.inputs);
  const sourceShape = shapeOfSource(profile);
  const named = (value: GraphValue): boolean => /source|src/i.test(value.name);
  const source = sourceShape === null ? null : open.take('source', sourceShape, named);
  const target = open.take('target picture', pictureShape(profile), (value) => !named(value));
  const size = profile.size ?? sideOf(entry, target, profile.layout);
  const free = target.shape?.[0] == null && (source === null || source.shape?.[0] == null);
  const pictures = free ? batch : 1;
  const wanted = pictureShape({ ...profile, size });
  const outputs = graph.outputs.filter((value) => fits(value, wanted));
  const channels = ({ shape }: GraphValue): number | null | undefined => shape?.[profile.layout === 'nchw' ? 1 : 3];
  // Beside others, an output that does not tell its channels may as well be a mask.
  const image = outputs.find((value) => channels(value) === 3) ?? (outputs.length === 1 ? outputs[0] : undefined);
  if (image === undefined) throw unfit(entry, `an output picture ${text(wanted)}`, graph.outputs);
  const oneChannel = profile.layout === 'nchw' ? [null, 1, size, size] : [null, size, size, 1];
  const masks = graph.outputs.filter(
    (value) => value !== image && channels(value) === 1 && fits(value, oneChannel) && masked(profile),
  );
  const concrete = (shape: Shape): number[] => shape.map((d) => d ?? pictures);
  return {
    shape: {
      name: entry.name,
      inputs: [
        tensor(target.name, concrete(wanted)),
        ...(source === null ? [] : [tensor(source.name, concrete(sourceShape!))]),
        ...open.scalars().map(({ name, shape }) => tensor(name, new Array<number>(shape?.length ?? 1).fill(1))),
      ],
      outputs: [tensor(image.name, concrete(wanted)), ...masks.map(({ name }) => tensor(name, concrete(oneChannel)))],
    },
    ...open.given(profile.scalar),
    ...{ size, batch: pictures, open: free, input: target.name, source: source?.name ?? null },
    ...{ output: image.name, masks: masks.map(({ name }) => name) },
  };
}

/** One input, one output: recognisers, converters and maskers. @throws FaceOffError `model_unfit`. */
export function bindPlain(
  entry: OptionalEntry,
  profile: RecogniserProfile | ConverterProfile | MaskerProfile,
  graph: Graph,
): ProfileBinding {
  const open = new Inputs(entry, graph.inputs);
  const wanted = profile.role === 'converter' ? [null, profile.length] : pictureShape(profile);
  const input = open.take('input', wanted, () => true);
  open.scalars();
  const size = profile.role === 'converter' ? 0 : (profile.size ?? sideOf(entry, input, profile.layout));
  const given = profile.role === 'converter' ? [1, profile.length] : pictureShape({ ...profile, size });
  const answer = profile.role === 'masker' ? maskShape(profile, size, graph) : [null, profile.length];
  const output = graph.outputs.find((value) => fits(value, answer));
  if (output === undefined) throw unfit(entry, `an output ${text(answer)}`, graph.outputs);
  const concrete = (shape: Shape): number[] => shape.map((d) => d ?? 1);
  return {
    shape: {
      name: entry.name,
      inputs: [tensor(input.name, concrete(given))],
      outputs: [tensor(output.name, concrete(answer))],
    },
    ...{
      doubles: {},
      scalars: {},
      size,
      batch: 1,
      open: false,
      input: input.name,
      source: null,
      output: output.name,
      masks: [],
    },
  };
}

const masked = (profile: GeneratorProfile | RestorerProfile): boolean => profile.role === 'generator' && profile.masks;

function shapeOfSource(profile: GeneratorProfile | RestorerProfile): Shape | null {
  if (profile.role === 'restorer' || profile.source.kind === 'none') return null;
  return profile.source.kind === 'embedding' ? [null, EMBEDDING] : pictureShape(profile.source);
}

/** Numbers of an embedding as generators take it: ArcFace's. */
const EMBEDDING = 512;

const pictureShape = ({ layout, size }: Pick<PictureForm, 'layout' | 'size'>): Shape =>
  layout === 'nchw' ? [null, 3, size, size] : [null, size, size, 3];

/** A mask is one channel; a parser has one for each class, however many the file says. */
function maskShape({ layout, classes }: MaskerProfile, size: number, { outputs }: Graph): Shape {
  if (classes === undefined) return layout === 'nchw' ? [null, 1, size, size] : [null, size, size, 1];
  const channel = layout === 'nchw' ? 1 : 3;
  const count = outputs.map(({ shape }) => shape?.[channel]).find((n) => n != null && n > Math.max(...classes));
  const channels = count ?? Math.max(...classes) + 1;
  return layout === 'nchw' ? [null, channels, size, size] : [null, size, size, channels];
}

/** A dimension that either side leaves open fits. */
function fits({ type, shape }: GraphValue, wanted: Shape): boolean {
  if (type !== 'float32') return false;
  if (shape === null) return true;
  return shape.length === wanted.length && shape.every((d, i) => d === null || wanted[i] === null || d === wanted[i]);
}

function sideOf(entry: OptionalEntry, value: GraphValue, layout: PictureForm['layout']): number {
  const side = value.shape?.[layout === 'nchw' ? 2 : 1];
  if (side == null || side !== value.shape?.[layout === 'nchw' ? 3 : 2])
    throw unfit(entry, 'an input picture whose side is told', [value]);
  return side;
}

const tensor = (name: string, shape: number[]) => ({ name, shape, meaning: '' });

/** The inputs of a file that nothing was found for yet. */
class Inputs {
  readonly #entry: OptionalEntry;
  readonly #all: readonly GraphValue[];
  readonly #left: Set<GraphValue>;

  constructor(entry: OptionalEntry, all: readonly GraphValue[]) {
    this.#entry = entry;
    this.#all = all;
    this.#left = new Set(all);
  }

  /** @param likely decides where several inputs have the shape. */
  take(what: string, wanted: Shape, likely: (value: GraphValue) => boolean): GraphValue {
    const fitting = [...this.#left].filter((value) => fits(value, wanted));
    const [found, another] = fitting.length > 1 ? fitting.filter(likely) : fitting;
    if (found === undefined || another !== undefined)
      throw unfit(this.#entry, `one input for the ${what}, ${text(wanted)}`, this.#all);
    this.#left.delete(found);
    return found;
  }

  /** What is left must be single numbers. */
  scalars(): GraphValue[] {
    const single = ({ shape, type }: GraphValue): boolean =>
      type !== 'other' && (shape ?? []).every((d) => (d ?? 1) === 1);
    if (![...this.#left].every(single)) throw unfit(this.#entry, 'no further inputs than single numbers', this.#all);
    return [...this.#left].filter(({ type }) => type === 'float32');
  }

  given(value: number): Pick<ProfileBinding, 'doubles' | 'scalars'> {
    const those = (type: GraphValue['type']) =>
      Object.fromEntries([...this.#left].filter((one) => one.type === type).map(({ name }) => [name, value]));
    return { doubles: those('float64'), scalars: those('float32') };
  }
}

const text = (shape: Shape | null): string => (shape === null ? '[?]' : `[${shape.map((d) => d ?? '?').join(', ')}]`);

function unfit({ name, file }: OptionalEntry, wanted: string, has: readonly GraphValue[]): FaceOffError {
  const list = has.map((value) => `${value.name} ${text(value.shape)}${value.type === 'other' ? ' (not float)' : ''}`);
  return new FaceOffError(
    'model_unfit',
    `${file} does not fit the profile of ${name}: it should have ${wanted}; it has ${list.join(', ')}.`,
  );
}
