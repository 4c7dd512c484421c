/** Makes the source tensor of a generator: an identity embedding by the profile's recipe, or an aligned picture. */

import { FaceOffError } from '../../../shared/errors.ts';
import { boundsOf } from '../../../shared/geometry.ts';
import type { ModelSession } from '../../inference/model-session.ts';
import { Kernels } from '../../kernels/kernels.ts';
import type { Catalogue, EntryOf } from '../../models/catalogue.ts';
import { readLastInitializer } from '../../models/onnx-graph.ts';
import type { PictureForm, SourceRecipe, TemplateName } from '../../models/profiles.ts';
import type { Portrait } from '../engine.ts';
import { bindPlain, type ProfileBinding } from './bind-profile.ts';
import { alignedSquare } from './face-alignment.ts';
import { graphOf, type OpenOptions, openBoundModel } from './open-model.ts';
import { layoutOf, rangeOf } from './tensor-layout.ts';

type EmbeddingRecipe = Extract<SourceRecipe, { kind: 'embedding' }>;

const lengthOf = (v: Float32Array): number => Math.hypot(...v);

/** A vector of length one. @throws FaceOffError `no_face` (422) for one without a direction. */
export function unit(v: Float32Array): Float32Array {
  const length = lengthOf(v);
  if (!(length > 0 && Number.isFinite(length)))
    throw new FaceOffError('no_face', 'The photos of this face tell nothing of who it is.');
  return v.map((x) => x / length);
}

/**
 * One raw embedding of several photos: the mean of their directions, equally weighted, at the mean of their lengths, as
 * converters were trained on raw lengths.
 */
function meanEmbedding(embeddings: readonly Float32Array[]): Float32Array {
  const sum = new Float32Array(embeddings[0]!.length);
  let length = 0;
  for (const embedding of embeddings) {
    length += lengthOf(embedding) / embeddings.length;
    for (const [i, x] of unit(embedding).entries()) sum[i]! += x;
  }
  return unit(sum).map((x) => x * length);
}

/** e / |e| times a row-major matrix [512, 512], normalised: the latent of InsightFace's generators. */
function throughMatrix(embedding: Float32Array, matrix: Float32Array): Float32Array {
  const from = unit(embedding);
  const n = from.length;
  const out = new Float32Array(n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) out[j]! += from[i]! * matrix[i * n + j]!;
  return unit(out);
}

interface OpenedModel {
  binding: ProfileBinding;
  session: ModelSession;
}

/** Makes source tensors; its recognisers and converters stay open until it is closed. Runs in the enrolment worker. */
export class SourceMaker {
  readonly #catalogue: Catalogue;
  readonly #options: OpenOptions;
  readonly #models = new Map<string, Promise<OpenedModel>>();

  constructor(catalogue: Catalogue, options: OpenOptions) {
    this.#catalogue = catalogue;
    this.#options = options;
  }

  /**
   * @returns the generator's source tensor, empty for a generator that was trained for one person.
   * @throws FaceOffError `model_missing`, `model_differs`, `model_unfit`, `model_unusable` for the models that the
   *   recipe needs, `no_face` (422) for photos without a usable face.
   */
  async make(generator: EntryOf<'generator'>, portraits: readonly Portrait[]): Promise<Float32Array> {
    const { source } = generator.profile;
    switch (source.kind) {
      case 'none': {
        return new Float32Array();
      }
      case 'picture': {
        return await tensorOf(portraits[0]!, source.template, source, source.size!);
      }
      case 'embedding': {
        return await this.#latent(generator, source, portraits);
      }
    }
  }

  /** Idempotent. */
  async close(): Promise<void> {
    const models = [...this.#models.values()];
    this.#models.clear();
    for (const opening of models) {
      const model = await opening.catch(() => null);
      await model?.session.close();
    }
  }

  async #latent(
    generator: EntryOf<'generator'>,
    recipe: EmbeddingRecipe,
    portraits: readonly Portrait[],
  ): Promise<Float32Array> {
    const embeddings = [];
    for (const portrait of portraits) embeddings.push(await this.#embed(recipe.recogniser, portrait));
    const raw = meanEmbedding(embeddings);
    switch (recipe.recipe) {
      case 'normed': {
        return unit(raw);
      }
      case 'emap': {
        return throughMatrix(raw, this.#emap(generator, raw.length));
      }
      case 'converter': {
        const converted = await this.#convert(recipe.converter ?? '', raw);
        return recipe.unit ? unit(converted) : converted;
      }
    }
  }

  async #embed(name: string, portrait: Portrait): Promise<Float32Array> {
    const entry = this.#catalogue.named(name, 'recogniser');
    const { profile } = entry;
    const { binding, session } = await this.#model(entry);
    session.inputs[binding.input]!.set(await tensorOf(portrait, profile.template, profile, binding.size));
    await session.run();
    return session.outputs[binding.output]!.slice();
  }

  async #convert(name: string, embedding: Float32Array): Promise<Float32Array> {
    const { binding, session } = await this.#model(this.#catalogue.named(name, 'converter'));
    session.inputs[binding.input]!.set(embedding);
    await session.run();
    return session.outputs[binding.output]!.slice();
  }

  /** InsightFace's embedding map: the last initializer of an inswapper file. @param n side of the square matrix. */
  #emap(generator: EntryOf<'generator'>, n: number): Float32Array {
    const file = this.#catalogue.fileOf(generator);
    const { shape, values } = readLastInitializer(file);
    if (shape.length !== 2 || shape.some((d) => d !== n)) {
      throw new FaceOffError(
        'model_unfit',
        `${generator.file} does not fit the profile of ${generator.name}: its last initializer should be the matrix [${n}, ${n}] of its embedding; it is [${shape.join(', ')}]. A tool that rewrote the file may have moved it.`,
      );
    }
    return values;
  }

  /** The opened model of an entry; one that fails to open is tried again at the next call. */
  #model(entry: EntryOf<'recogniser' | 'converter'>): Promise<OpenedModel> {
    let opening = this.#models.get(entry.name);
    if (opening === undefined) {
      opening = this.#openModel(entry);
      this.#models.set(entry.name, opening);
      opening.catch(() => this.#models.delete(entry.name));
    }
    return opening;
  }

  async #openModel(entry: EntryOf<'recogniser' | 'converter'>): Promise<OpenedModel> {
    const binding = bindPlain(entry, entry.profile, graphOf(this.#catalogue, entry));
    const session = await openBoundModel(this.#catalogue, { entry, binding, kernels: null }, this.#options);
    return { binding, session };
  }
}

/** The aligned crop of a portrait as a model's input: n·n·3 floats in the form's layout and range. */
async function tensorOf(
  { picture, points }: Portrait,
  template: TemplateName,
  form: PictureForm,
  n: number,
): Promise<Float32Array> {
  const square = alignedSquare(points, template);
  const rect = boundsOf(square, 2, picture.width, picture.height);
  if (rect === null) throw new FaceOffError('no_face', 'The face lies outside of its photo.');
  // Enrolment is rare, so its kernels are not kept.
  const kernels = await Kernels.load(rect.width * rect.height, 2 * 12 * n * n + 4096);
  const [crop, tensor] = [kernels.floats(3 * n * n), kernels.floats(3 * n * n)];
  kernels.load(picture, rect).crop(square, { values: crop, n });
  kernels.tiles(crop, { n, k: 1, layout: layoutOf(form, n) }, rangeOf(form), tensor);
  return tensor.slice();
}
