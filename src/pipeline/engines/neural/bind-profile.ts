/**
 * Binds a model file to its profile. Inputs and outputs are identified by shape, never by name, as exports of one model
 * use many names. Only where two inputs have the same shape does `source` in the file's own name decide.
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

/** A file bound to its profile: how to open it, and which tensor is which. */
export interface ProfileBinding {
  shape: ModelShape;
  /** Constant inputs of one float64 each, by name. */
  doubles: Record<string, number>;
  /** Constant inputs of one float32 each, by name. */
  scalars: Record<string, number>;
  /** Side of the input picture in pixels; 0 for a model without one. */
  size: number;
  /** Pictures per run. */
  batch: number;
  /** Whether the file leaves the batch dimension open. */
  open: boolean;
  /** Name of the input picture, or of a converter's embedding. */
  input: string;
  /** Name of the source input; null where the model has none. */
  source: string | null;
  /** Name of the output. */
  output: string;
  /** Names of one-channel outputs of the picture's size that limit the paste. */
  masks: string[];
}

type Shape = (number | null)[];

/**
 * Binds a generator or restorer.
 * @param batch pictures per run, where the file does not fix them to one.
 * @throws FaceOffError `model_unfit` with what the profile requires and what the file has.
 */
export function bindGenerator(
  entry: OptionalEntry,
  profile: GeneratorProfile | RestorerProfile,
  graph: Graph,
  batch: number,
): ProfileBinding {
  const inputs = new Inputs(entry, graph.inputs);
  const sourceShape = shapeOfSource(profile);
  const isNamedSource = (value: GraphValue): boolean => /source|src/i.test(value.name);
  const source = sourceShape === null ? null : inputs.take('source', sourceShape, isNamedSource);
  const target = inputs.take('target picture', pictureShape(profile), (value) => !isNamedSource(value));
  const size = profile.size ?? sideOf(entry, target, profile.layout);
  const open = target.shape?.[0] == null && (source === null || source.shape?.[0] == null);
  const pictures = open ? batch : 1;
  const wanted = pictureShape({ ...profile, size });
  const outputs = graph.outputs.filter((value) => fits(value, wanted));
  const channels = ({ shape }: GraphValue): number | null | undefined => shape?.[profile.layout === 'nchw' ? 1 : 3];
  // An output without a channel count may be a mask, so it is taken as the picture only where it is the single one.
  const image = outputs.find((value) => channels(value) === 3) ?? (outputs.length === 1 ? outputs[0] : undefined);
  if (image === undefined) throw unfit(entry, `an output picture ${text(wanted)}`, graph.outputs);
  const oneChannel = profile.layout === 'nchw' ? [null, 1, size, size] : [null, size, size, 1];
  const masks = graph.outputs.filter(
    (value) => value !== image && channels(value) === 1 && fits(value, oneChannel) && usesMasks(profile),
  );
  const concrete = (shape: Shape): number[] => shape.map((d) => d ?? pictures);
  return {
    shape: {
      name: entry.name,
      inputs: [
        tensor(target.name, concrete(wanted)),
        ...(source === null ? [] : [tensor(source.name, concrete(sourceShape!))]),
        ...inputs.scalars().map(({ name, shape }) => tensor(name, new Array<number>(shape?.length ?? 1).fill(1))),
      ],
      outputs: [tensor(image.name, concrete(wanted)), ...masks.map(({ name }) => tensor(name, concrete(oneChannel)))],
    },
    ...inputs.constants(profile.scalar),
    size,
    batch: pictures,
    open,
    input: target.name,
    source: source?.name ?? null,
    output: image.name,
    masks: masks.map(({ name }) => name),
  };
}

/** Binds a model of one input and one output: a recogniser, converter or masker. @throws FaceOffError `model_unfit`. */
export function bindPlain(
  entry: OptionalEntry,
  profile: RecogniserProfile | ConverterProfile | MaskerProfile,
  graph: Graph,
): ProfileBinding {
  const inputs = new Inputs(entry, graph.inputs);
  const wanted = profile.role === 'converter' ? [null, profile.length] : pictureShape(profile);
  const input = inputs.take('input', wanted, () => true);
  inputs.scalars();
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
    doubles: {},
    scalars: {},
    size,
    batch: 1,
    open: false,
    input: input.name,
    source: null,
    output: output.name,
    masks: [],
  };
}

const usesMasks = (profile: GeneratorProfile | RestorerProfile): boolean =>
  profile.role === 'generator' && profile.masks;

function shapeOfSource(profile: GeneratorProfile | RestorerProfile): Shape | null {
  if (profile.role === 'restorer' || profile.source.kind === 'none') return null;
  return profile.source.kind === 'embedding' ? [null, EMBEDDING] : pictureShape(profile.source);
}

/** Length of an ArcFace embedding, which all generators take. */
const EMBEDDING = 512;

const pictureShape = ({ layout, size }: Pick<PictureForm, 'layout' | 'size'>): Shape =>
  layout === 'nchw' ? [null, 3, size, size] : [null, size, size, 3];

/** A mask has one channel; a parser has one for each class, as many as the file has. */
function maskShape({ layout, classes }: MaskerProfile, size: number, { outputs }: Graph): Shape {
  if (classes === undefined) return layout === 'nchw' ? [null, 1, size, size] : [null, size, size, 1];
  const channel = layout === 'nchw' ? 1 : 3;
  const count = outputs.map(({ shape }) => shape?.[channel]).find((n) => n != null && n > Math.max(...classes));
  const channels = count ?? Math.max(...classes) + 1;
  return layout === 'nchw' ? [null, channels, size, size] : [null, size, size, channels];
}

/** Whether a float32 value has a shape; a dimension that either side leaves open matches. */
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

/** The inputs of a file, of which the identified ones are taken out. */
class Inputs {
  readonly #entry: OptionalEntry;
  readonly #all: readonly GraphValue[];
  /** Inputs not identified yet. */
  readonly #left: Set<GraphValue>;

  constructor(entry: OptionalEntry, all: readonly GraphValue[]) {
    this.#entry = entry;
    this.#all = all;
    this.#left = new Set(all);
  }

  /** Takes the input of a shape. @param likely decides between several of the same shape. @throws `model_unfit`. */
  take(what: string, wanted: Shape, likely: (value: GraphValue) => boolean): GraphValue {
    const fitting = [...this.#left].filter((value) => fits(value, wanted));
    const [found, another] = fitting.length > 1 ? fitting.filter(likely) : fitting;
    if (found === undefined || another !== undefined)
      throw unfit(this.#entry, `one input for the ${what}, ${text(wanted)}`, this.#all);
    this.#left.delete(found);
    return found;
  }

  /** The remaining float32 inputs. @throws `model_unfit` unless all remaining inputs are single numbers. */
  scalars(): GraphValue[] {
    const single = ({ shape, type }: GraphValue): boolean =>
      type !== 'other' && (shape ?? []).every((d) => (d ?? 1) === 1);
    if (![...this.#left].every(single)) throw unfit(this.#entry, 'no further inputs than single numbers', this.#all);
    return [...this.#left].filter(({ type }) => type === 'float32');
  }

  /** The remaining inputs, all set to one value, by element type. */
  constants(value: number): Pick<ProfileBinding, 'doubles' | 'scalars'> {
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
