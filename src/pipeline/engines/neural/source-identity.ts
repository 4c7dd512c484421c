/** What a generator is told of the source person: an embedding by its recipe, or a picture. */

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
import { graphOf, type OpenOptions, openBound } from './open-model.ts';
import { layoutOf, rangeOf } from './tensor-layout.ts';

type EmbeddingRecipe = Extract<SourceRecipe, { kind: 'embedding' }>;

const lengthOf = (v: Float32Array): number => Math.hypot(...v);

/** A vector of length one. @throws FaceOffError `no_face` (422) for one without a direction. */
export function unit(v: Float32Array): Float32Array {
  const length = lengthOf(v);
  if (!(length > 0 && Number.isFinite(length)))
    throw new FaceOffError('no_face', 'The photos of this face tell nothing of who it is.', { status: 422 });
  return v.map((x) => x / length);
}

/**
 * One raw embedding of several photos: their mean direction, each photo counting the same, at their mean length, which is
 * part of what converters were trained on.
 */
export function meanEmbedding(embeddings: readonly Float32Array[]): Float32Array {
  const sum = new Float32Array(embeddings[0]!.length);
  let length = 0;
  for (const embedding of embeddings) {
    length += lengthOf(embedding) / embeddings.length;
    for (const [i, x] of unit(embedding).entries()) sum[i]! += x;
  }
  return unit(sum).map((x) => x * length);
}

/** e / |e| times a matrix [512, 512] of rows, of length one: the latent of InsightFace's generators. */
export function throughMatrix(embedding: Float32Array, matrix: Float32Array): Float32Array {
  const from = unit(embedding);
  const n = from.length;
  const out = new Float32Array(n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) out[j]! += from[i]! * matrix[i * n + j]!;
  return unit(out);
}

interface Opened {
  fit: ProfileBinding;
  session: ModelSession;
}

/** Makes sources; keeps the models it opened until it is closed. */
export class SourceMaker {
  readonly #catalogue: Catalogue;
  readonly #options: OpenOptions;
  readonly #open = new Map<string, Promise<Opened>>();

  constructor(catalogue: Catalogue, options: OpenOptions) {
    this.#catalogue = catalogue;
    this.#options = options;
  }

  /**
   * @returns the generator's source tensor, empty for one that was trained for one person.
   * @throws FaceOffError when a model it needs is missing or does not fit, or the photos tell nothing.
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
    const opened = [...this.#open.values()];
    this.#open.clear();
    for (const one of opened) {
      const model = await one.catch(() => null);
      await model?.session.close();
    }
  }

  async #latent(
    ...[generator, recipe, portraits]: [EntryOf<'generator'>, EmbeddingRecipe, readonly Portrait[]]
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
        const own = await this.#convert(recipe.converter ?? '', raw);
        return recipe.unit ? unit(own) : own;
      }
    }
  }

  async #embed(name: string, portrait: Portrait): Promise<Float32Array> {
    const entry = this.#catalogue.named(name, 'recogniser');
    const { profile } = entry;
    const { fit, session } = await this.#opened(entry);
    session.inputs[fit.input]!.set(await tensorOf(portrait, profile.template, profile, fit.size));
    await session.run();
    return session.outputs[fit.output]!.slice();
  }

  async #convert(name: string, embedding: Float32Array): Promise<Float32Array> {
    const { fit, session } = await this.#opened(this.#catalogue.named(name, 'converter'));
    session.inputs[fit.input]!.set(embedding);
    await session.run();
    return session.outputs[fit.output]!.slice();
  }

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

  #opened(entry: EntryOf<'recogniser' | 'converter'>): Promise<Opened> {
    let opened = this.#open.get(entry.name);
    if (opened === undefined) {
      opened = this.#openOne(entry);
      this.#open.set(entry.name, opened);
      opened.catch(() => this.#open.delete(entry.name));
    }
    return opened;
  }

  async #openOne(entry: EntryOf<'recogniser' | 'converter'>): Promise<Opened> {
    const fit = bindPlain(entry, entry.profile, graphOf(this.#catalogue, entry));
    return { fit, session: await openBound(this.#catalogue, entry, fit, null, this.#options) };
  }
}

/** An aligned crop of a portrait as a model wants it: n·n·3 floats in the form's layout and range. */
async function tensorOf(
  ...[{ picture, points }, template, form, n]: [Portrait, TemplateName, PictureForm, number]
): Promise<Float32Array> {
  const square = alignedSquare(points, template);
  const rect = boundsOf(square, 2, picture.width, picture.height);
  if (rect === null) throw new FaceOffError('no_face', 'The face lies outside of its photo.', { status: 422 });
  // Enrolment is rare, so its memory is let go afterwards.
  const kernels = await Kernels.load(rect.width * rect.height, 2 * 12 * n * n + 4096);
  const [crop, tensor] = [kernels.floats(3 * n * n), kernels.floats(3 * n * n)];
  kernels.load(picture, rect).crop(square, { values: crop, n });
  kernels.tiles(crop, { n, k: 1, layout: layoutOf(form, n) }, rangeOf(form), tensor);
  return tensor.slice();
}
