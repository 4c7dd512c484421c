/**
 * The neural engine: one for every generator, told by its profile what to put in and what comes out. A source face is
 * enrolled into the tensor the generator wants of it, so that a live frame costs an aligned crop, one run and a paste.
 */

import type { Frame } from '../../../shared/types.ts';
import type { Catalogue, EntryOf } from '../../models/catalogue.ts';
import type { Engine, LiveFace, Looks, Portrait, Swapper } from '../engine.ts';
import { type GeneratorOptions, GeneratorRunner } from './generator-runner.ts';
import { RegionMask } from './paste-mask.ts';
import { type PooledRunner, RunnerPool, type YieldWhile } from './runner-pool.ts';
import { SourceMaker } from './source-identity.ts';

/** A source face as one generator wants it. Plain data, so it can be sent to any lane. */
export interface NeuralFace {
  /** The generator's source tensor; empty for one that was trained for one person. */
  source: Float32Array;
}

export interface NeuralOptions extends GeneratorOptions {
  /** Name of the model that says which part of a crop is face; null pastes the whole box. */
  mask: string | null;
  /** How long a frame may take from its arrival; left out, as long as it takes. */
  budgetMs?: number;
  /** Lets other streams of the lane in while something is awaited. */
  yieldWhile?: YieldWhile;
}

export class NeuralEngine implements Engine<NeuralFace> {
  readonly #catalogue: Catalogue;
  readonly #entry: EntryOf<'generator'>;
  readonly #options: NeuralOptions;
  readonly #sources: SourceMaker;
  #runners: RunnerPool | null = null;
  #opening: Promise<void> | null = null;
  #closed = false;

  /** @throws FaceOffError `unknown_model` (404). */
  constructor(catalogue: Catalogue, name: string, options: NeuralOptions) {
    this.#catalogue = catalogue;
    this.#entry = catalogue.named(name, 'generator');
    this.#options = options;
    const { threads, tell } = options;
    this.#sources = new SourceMaker(catalogue, { threads, warmupRuns: 0, ...(tell && { tell }) });
  }

  /** Whether a swapper's next frame will be painted; before that, `open` is still at work or was not called. */
  get ready(): boolean {
    return this.#runners !== null;
  }

  /** What the generator runs on, and whether it was prepared before; null until it is ready. */
  get runsOn(): { provider: string; cached: boolean } | null {
    const painter = this.#runners?.one;
    return painter === undefined ? null : { provider: painter.provider, cached: painter.cached };
  }

  /** Milliseconds that the generator usually takes for a face; 0 while that is not known. */
  get usualMs(): number {
    return this.#runners?.one.usualMs ?? 0;
  }

  /**
   * Loads and warms the generator, and the mask if one is wanted. Idempotent; may be called again when it failed.
   * @throws FaceOffError `model_missing`, `model_differs`, `model_unfit`, `model_unusable`.
   */
  open(): Promise<void> {
    this.#opening ??= this.#load().catch((error: unknown) => {
      this.#opening = null;
      throw error;
    });
    return this.#opening;
  }

  enrol(portraits: Portrait[]): Promise<NeuralFace> {
    return this.#sources.make(this.#entry, portraits).then((source) => ({ source }));
  }

  /** Swaps once the engine is ready; a swap before that throws. */
  swapper({ source }: NeuralFace): Swapper {
    return { swap: (frame, face, looks) => this.#swap(frame, face, looks, source), close: () => undefined };
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#opening?.catch(() => undefined);
    await this.#runners?.close();
    this.#runners = null;
    await this.#sources.close();
  }

  async #load(): Promise<void> {
    const runners = await RunnerPool.open(() => this.#openRunner(), this.#options.yieldWhile);
    if (this.#closed) await runners.close();
    else this.#runners = runners;
  }

  async #openRunner(): Promise<PooledRunner> {
    const { mask, maxPixels } = this.#options;
    const painter = await GeneratorRunner.open(this.#catalogue, this.#entry, this.#options);
    if (mask === null) return { painter, region: null };
    try {
      const entry = this.#catalogue.named(mask, 'masker');
      return { painter, region: await RegionMask.open(this.#catalogue, entry, maxPixels, this.#options) };
    } catch (error) {
      await painter.close();
      throw error;
    }
  }

  async #swap(frame: Frame, face: LiveFace, looks: Looks, source: Float32Array): Promise<void> {
    if (this.#runners === null) throw new Error(`the generator ${this.#entry.name} is not loaded`);
    const colour = looks.colour * this.#entry.profile.colour;
    const { budgetMs = Number.POSITIVE_INFINITY } = this.#options;
    const deadlineMs = frame.receivedAtMs + budgetMs;
    await this.#runners.with(deadlineMs, ({ painter, region }) =>
      painter.paint(frame, face.points, { source, strength: looks.strength, colour, region, deadlineMs }),
    );
  }
}
