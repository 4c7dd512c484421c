/** What is known of every model: whether its file is here, and what those who load it told. */

import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import type { ModelInfo } from '../../shared/messages.ts';
import type { Catalogue, ModelEntry, OptionalEntry } from './catalogue.ts';

/** What becomes of a model somewhere: a lane, the enrolment, whatever else loads models. */
export type ModelNews =
  /** Its file was read and is as it should be; it is not loaded, or no longer. */
  | { model: string; state: 'verified' }
  | { model: string; state: 'loading' }
  /** `note`: what is still being done for it. */
  | { model: string; state: 'ready'; provider: string; note?: string }
  | { model: string; state: 'failed'; why: string };

export type Tell = (news: ModelNews) => void;

export class ModelStates {
  readonly #catalogue: Catalogue;
  /** By who told it, then by model. */
  readonly #told = new Map<object, Map<string, ModelNews>>();

  constructor(catalogue: Catalogue) {
    this.#catalogue = catalogue;
  }

  /** @param source who loads it: any object that stands for a thread or process. */
  note(source: object, news: ModelNews): void {
    const told = this.#told.get(source) ?? new Map<string, ModelNews>();
    this.#told.set(source, told.set(news.model, news));
  }

  /** Where a model is ready somewhere: what it runs on by now, or what is being done for it. */
  amend(model: string, change: { provider: string } | { note: string | null }): void {
    for (const told of this.#told.values()) {
      const news = told.get(model);
      if (news?.state !== 'ready') continue;
      const { note: _, ...plain } = news;
      if ('provider' in change) told.set(model, { ...news, ...change });
      else told.set(model, change.note === null ? plain : { ...plain, note: change.note });
    }
  }

  /** A thread or process is gone, and what it had loaded with it. */
  forget(source: object): void {
    const told = this.#told.get(source);
    this.#told.delete(source);
    // What it had read stays as true as it was.
    for (const { model, state } of told?.values() ?? [])
      if (state === 'ready' || state === 'verified') this.note(this, { model, state: 'verified' });
  }

  /** Whether a model runs on something other than the processor. */
  get usesGpu(): boolean {
    return this.#all().some((news) => news.state === 'ready' && news.provider !== 'cpu');
  }

  /** Every model of the catalogue, those that come along first. */
  list(): ModelInfo[] {
    return [...this.#catalogue.models.map((one) => this.#shipped(one)), ...this.#added()];
  }

  #shipped(entry: ModelEntry): ModelInfo {
    const { name, role, licence, commercialUse, bytes } = entry;
    const here = existsSync(path.join(this.#catalogue.shipped, entry.file));
    return {
      ...{ name, role, licence, commercialUse, bytes },
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
        ...{ name, role: profile.role, licence, commercialUse, bytes: this.#bytesOf(entry), comesAlong: false },
        needs: needs.map((one) => one.name),
        ...this.#state(name, this.#catalogue.has(entry)),
      };
    });
  }

  /** What serves anywhere counts before what is on its way, and that before what failed. */
  #state(model: string, here: boolean): Pick<ModelInfo, 'state' | 'provider' | 'why'> {
    const told = this.#all().filter((news) => news.model === model);
    for (const state of ['ready', 'loading', 'failed', 'verified'] as const) {
      // What failed for want of its file says that by being absent.
      if (!here && state !== 'ready') break;
      const news = told.findLast((one) => one.state === state);
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
    return [...this.#told.values()].flatMap((told) => [...told.values()]);
  }
}
