/** The models panel. */

import type { ModelInfo } from '../../../shared/messages.ts';
import { t } from '../../language/translate.ts';
import { createElement, element } from '../../lib/dom.ts';
import { showBytes } from '../../lib/format.ts';
import { serverUrl } from '../../lib/server-url.ts';
import { engineHint, enginesOf, modelState } from '../engine-text.ts';

const EVERY_MS = 10_000;
/** While the list is open, or the chosen model is being loaded. */
const OFTEN_MS = 2000;

/** The engines to choose from, and the list of all models with their states. */
export class ModelsPanel {
  readonly #select = element('engine', HTMLSelectElement);
  readonly #panel = element('models', HTMLDetailsElement);
  readonly #list = element('model-list', HTMLUListElement);
  #models: ModelInfo[] = [];
  #engine = 'mesh';
  #refreshedAtMs = Number.NEGATIVE_INFINITY;

  constructor(onChoose: (engine: string) => void) {
    this.#select.addEventListener('change', () => onChoose(this.#select.value));
    this.#panel.addEventListener('toggle', () => void this.#refresh());
    setInterval(() => void this.#tick(), OFTEN_MS);
    this.#showEngines();
    void this.#refresh();
  }

  /** Shows the engine in use. */
  select(engine: string): void {
    if (engine === this.#engine) return;
    this.#engine = engine;
    this.#showEngines();
    // The server may start to load it only now.
    void this.#refresh();
  }

  #tick(): void {
    const isBusy =
      this.#panel.open || this.#models.some(({ state, name }) => state !== 'ready' && name === this.#engine);
    const dueMs = this.#refreshedAtMs + (isBusy ? OFTEN_MS : EVERY_MS) - 100;
    if (!document.hidden && performance.now() >= dueMs) void this.#refresh();
  }

  async #refresh(): Promise<void> {
    this.#refreshedAtMs = performance.now();
    try {
      const answer = await fetch(serverUrl('/api/models'));
      if (!answer.ok) return;
      this.#models = (await answer.json()) as ModelInfo[];
      this.#showEngines();
      this.#showList();
    } catch {
      // The page's notice reports a server that is gone; the panel goes on when the server is back.
    }
  }

  #showEngines(): void {
    const engines = enginesOf(this.#models, this.#engine);
    const shown = [...this.#select.options].map(({ value, text }) => `${value} ${text}`).join();
    // Options are replaced only when they changed: that would close a list which the person has open.
    if (engines.map(({ value, text }) => `${value} ${text}`).join() !== shown)
      this.#select.replaceChildren(
        ...engines.map((engine) => createElement('option', { ...engine, translate: engine.text !== engine.value })),
      );
    this.#select.value = this.#engine;
    element('engine-hint', HTMLElement).textContent = engineHint(this.#models, this.#engine);
  }

  #showList(): void {
    if (!this.#panel.open) return;
    const rows = this.#models.map((model) => {
      const { name, role, state, licence, commercialUse, bytes, why } = model;
      const uses = commercialUse ? licence : t('{{licence}}; not for commercial use', { licence });
      return createElement(
        'li',
        {},
        { 'data-model': name, 'data-state': state },
        createElement('span', { className: 'name', textContent: name, translate: false, dir: 'ltr' }),
        createElement('span', { className: 'model-state', textContent: modelState(model) }),
        createElement('small', {
          translate: false,
          textContent: [...(role === name ? [] : [role]), ...(bytes === null ? [] : [showBytes(bytes)]), uses].join(
            ' · ',
          ),
        }),
        ...(why === null ? [] : [createElement('small', { textContent: why, translate: false })]),
      );
    });
    this.#list.replaceChildren(...rows);
  }
}
