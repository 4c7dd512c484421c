/**
 * The neural engine: one class for every generator, controlled by the generator's profile. A source face is enrolled
 * into the generator's source tensor, so that a live frame costs an aligned crop, one run and a paste.
 */

import type { Frame } from '../../../shared/types.ts';
import type { Catalogue, EntryOf } from '../../models/catalogue.ts';
import type { Engine, LiveFace, Looks, Portrait, Swapper } from '../engine.ts';
import { type GeneratorOptions, GeneratorRunner } from './generator-runner.ts';
import { RegionMask } from './paste-mask.ts';
import { type PooledRunner, RunnerPool, type YieldWhile } from './runner-pool.ts';
import { SourceMaker } from './source-identity.ts';

/** A source face, enrolled for one generator. Plain data, so it can be sent to any lane. */
export interface NeuralFace {
  /** The generator's source tensor; empty for a generator that was trained for one person. */
  source: Float32Array;
}

/** How a NeuralEngine is opened. */
export interface NeuralOptions extends GeneratorOptions {
  /** Name of the masker model that limits the paste to the face; null pastes the whole box. */
  mask: string | null;
  /** Time of a frame from its arrival, in milliseconds; no limit by default. */
  budgetMs?: number;
  /** Releases the lane to other frames while something is awaited. */
  yieldWhile?: YieldWhile;
}

/** The engine of one generator. Runs in the lane worker, or in the enrolment worker where it only enrols. */
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
    const { threads, onModelNews } = options;
    this.#sources = new SourceMaker(catalogue, { threads, warmupRuns: 0, ...(onModelNews && { onModelNews }) });
  }

  /** Whether swappers can swap: `open` has resolved. */
  get ready(): boolean {
    return this.#runners !== null;
  }

  /** The generator's provider, and whether it was found prepared in the cache; null until it is ready. */
  get runsOn(): { provider: string; cached: boolean } | null {
    const runner = this.#runners?.first;
    return runner === undefined ? null : { provider: runner.provider, cached: runner.cached };
  }

  /** Milliseconds of a usual face; 0 while that is not known. */
  get usualMs(): number {
    return this.#runners?.first.usualMs ?? 0;
  }

  /**
   * Loads and warms the generator, and the masker where one is configured. Idempotent; can be called again after a
   * failure.
   * @throws FaceOffError `model_missing`, `model_differs`, `model_unfit`, `model_unusable`.
   */
  open(): Promise<void> {
    this.#opening ??= this.#load().catch((error: unknown) => {
      this.#opening = null;
      throw error;
    });
    return this.#opening;
  }

  /** @throws FaceOffError `no_face` (422), or what opening the recogniser or converter fails with. */
  enrol(portraits: Portrait[]): Promise<NeuralFace> {
    return this.#sources.make(this.#entry, portraits).then((source) => ({ source }));
  }

  /** A swapper that throws until the engine is ready. It keeps no state, so closing it does nothing. */
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
    const runner = await GeneratorRunner.open(this.#catalogue, this.#entry, this.#options);
    if (mask === null) return { runner, mask: null };
    try {
      const entry = this.#catalogue.named(mask, 'masker');
      return { runner, mask: await RegionMask.open(this.#catalogue, entry, maxPixels, this.#options) };
    } catch (error) {
      await runner.close();
      throw error;
    }
  }

  async #swap(frame: Frame, face: LiveFace, looks: Looks, source: Float32Array): Promise<void> {
    if (this.#runners === null) throw new Error(`the generator ${this.#entry.name} is not loaded`);
    const colour = looks.colour * this.#entry.profile.colour;
    const { budgetMs = Number.POSITIVE_INFINITY } = this.#options;
    const deadlineMs = frame.receivedAtMs + budgetMs;
    await this.#runners.use(deadlineMs, ({ runner, mask }) =>
      runner.paint(frame, face.points, { source, strength: looks.strength, colour, mask, deadlineMs }),
    );
  }
}
