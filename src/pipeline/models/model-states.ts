/** The state of every model: whether its file is there, and what the threads and processes that load it reported. */

import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import type { ModelInfo } from '../../shared/messages.ts';
import type { Catalogue, ModelEntry, OptionalEntry } from './catalogue.ts';

/** A change of a model's state in one place: a lane, the enrolment worker, the device. */
export type ModelNews =
  /** The file was read and has the right digest; the model is not loaded. */
  | { model: string; state: 'verified' }
  | { model: string; state: 'loading' }
  /** `note`: work in progress for the model, such as the build of a TensorRT engine. */
  | { model: string; state: 'ready'; provider: string; note?: string }
  | { model: string; state: 'failed'; why: string };

/** Receives the changes of a model's state. */
export type OnModelNews = (news: ModelNews) => void;

/** The states of all models as reported by all threads and processes. Runs on the main thread. */
export class ModelStates {
  readonly #catalogue: Catalogue;
  /** Last news by source, then by model. */
  readonly #news = new Map<object, Map<string, ModelNews>>();

  constructor(catalogue: Catalogue) {
    this.#catalogue = catalogue;
  }

  /** Records news. @param source any object that stands for the thread or process that loads the model. */
  note(source: object, news: ModelNews): void {
    const ofSource = this.#news.get(source) ?? new Map<string, ModelNews>();
    this.#news.set(source, ofSource.set(news.model, news));
  }

  /** Changes the provider or the note of a model in every place where it is ready. */
  amend(model: string, change: { provider: string } | { note: string | null }): void {
    for (const ofSource of this.#news.values()) {
      const news = ofSource.get(model);
      if (news?.state !== 'ready') continue;
      const { note: _, ...plain } = news;
      if ('provider' in change) ofSource.set(model, { ...news, ...change });
      else ofSource.set(model, change.note === null ? plain : { ...plain, note: change.note });
    }
  }

  /** Removes the news of a thread or process that ended; models it had read stay verified. */
  forget(source: object): void {
    const ofSource = this.#news.get(source);
    this.#news.delete(source);
    for (const { model, state } of ofSource?.values() ?? [])
      if (state === 'ready' || state === 'verified') this.note(this, { model, state: 'verified' });
  }

  /** Whether any model runs on a provider other than the CPU. */
  get usesGpu(): boolean {
    return this.#all().some((news) => news.state === 'ready' && news.provider !== 'cpu');
  }

  /** Every model of the catalogue, shipped ones first. */
  list(): ModelInfo[] {
    return [...this.#catalogue.models.map((one) => this.#shipped(one)), ...this.#added()];
  }

  #shipped(entry: ModelEntry): ModelInfo {
    const { name, role, licence, commercialUse, bytes } = entry;
    const here = existsSync(path.join(this.#catalogue.folder, entry.file));
    return {
      name,
      role,
      licence,
      commercialUse,
      bytes,
      comesAlong: true,
      needs: [],
      ...this.#state(name, here),
    };
  }

  #added(): ModelInfo[] {
    return this.#catalogue.optional.map((entry) => {
      const { name, licence, commercialUse, profile } = entry;
      const needs = this.#catalogue.withNeeds(entry).filter((one) => !this.#catalogue.has(one));
      return {
        name,
        role: profile.role,
        licence,
        commercialUse,
        bytes: this.#bytesOf(entry),
        comesAlong: false,
        needs: needs.map((one) => one.name),
        ...this.#state(name, this.#catalogue.has(entry)),
      };
    });
  }

  /** The most favourable state of all places: ready, then loading, then failed, then verified. */
  #state(model: string, here: boolean): Pick<ModelInfo, 'state' | 'provider' | 'why'> {
    const ofModel = this.#all().filter((news) => news.model === model);
    for (const state of ['ready', 'loading', 'failed', 'verified'] as const) {
      // A model without its file is `absent`, even if loading it failed.
      if (!here && state !== 'ready') break;
      const news = ofModel.findLast((one) => one.state === state);
      if (news === undefined) continue;
      return {
        state,
        provider: news.state === 'ready' ? news.provider : null,
        why: news.state === 'failed' ? news.why : news.state === 'ready' ? (news.note ?? null) : null,
      };
    }
    return { state: here ? 'present' : 'absent', provider: null, why: null };
  }

  #bytesOf(entry: OptionalEntry): number | null {
    return statSync(this.#catalogue.fileOf(entry), { throwIfNoEntry: false })?.size ?? entry.bytes;
  }

  #all(): ModelNews[] {
    return [...this.#news.values()].flatMap((ofSource) => [...ofSource.values()]);
  }
}
