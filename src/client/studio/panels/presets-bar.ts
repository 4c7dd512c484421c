/** The bar of presets: settings under names. */

import type { ErrorBody, FaceInfo, PresetInfo } from '../../../shared/messages.ts';
import { errorText } from '../../language/error-texts.ts';
import { t } from '../../language/translate.ts';
import { confirmDialog } from '../../lib/confirm-dialog.ts';
import { createElement, element, icon } from '../../lib/dom.ts';
import { serverUrl } from '../../lib/server-url.ts';

/** What the bar asks of its page. */
export interface PresetsConf {
  onApply(preset: PresetInfo): void;
  /** The settings that a new preset saves; null while there are none. */
  settings(): PresetInfo['settings'] | null;
  faces(): readonly FaceInfo[];
  onError(message: string): void;
}

/** One button for each preset, the first nine with a key, and a form that saves the current settings under a name. */
export class PresetsBar {
  readonly #conf: PresetsConf;
  readonly #list = element('presets', HTMLUListElement);
  readonly #name = element('preset-name', HTMLInputElement);
  readonly #save = element('preset-save', HTMLButtonElement);
  #presets: PresetInfo[] = [];

  constructor(conf: PresetsConf) {
    this.#conf = conf;
    element('preset-form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#saveCurrent();
    });
    this.#name.addEventListener('input', () => this.#updateLabel());
  }

  /** The preset of a key, `1` to `9`; undefined where there is none. */
  of(key: string): PresetInfo | undefined {
    return this.#presets[Number(key) - 1];
  }

  /** Shows these presets, or the same ones with the faces as they are now. */
  show(presets: PresetInfo[] = this.#presets): void {
    const active = document.activeElement;
    const focused = active instanceof HTMLElement && this.#list.contains(active) ? active.dataset.preset : undefined;
    this.#presets = presets;
    this.#list.replaceChildren(...presets.map((preset, at) => this.#item(preset, at + 1)));
    this.#updateLabel();
    if (focused === undefined) return;
    // The focus stays on its preset. When that is gone, it moves to the field for a new one.
    const same = this.#list.querySelector<HTMLElement>(`[data-preset="${CSS.escape(focused)}"]`);
    (same ?? this.#name).focus();
  }

  #item(preset: PresetInfo, number: number): HTMLLIElement {
    const { name, settings } = preset;
    const face = this.#conf.faces().find(({ id }) => id === settings.face);
    const picture =
      face === undefined
        ? icon('none')
        : createElement('img', { src: serverUrl(face.thumbnail), alt: '', loading: 'lazy', draggable: false });
    const label = createElement('span', { className: 'name', textContent: name, dir: 'auto', translate: false });
    const key = number <= 9 ? { 'aria-keyshortcuts': String(number) } : ({} as Record<string, string>);
    const apply = createElement('button', { type: 'button', className: 'apply', title: name }, key, picture, label);
    if (number <= 9) apply.append(createElement('kbd', { textContent: String(number) }, { 'aria-hidden': 'true' }));
    apply.addEventListener('click', () => this.#conf.onApply(preset));
    const remove = createElement(
      'button',
      { type: 'button', className: 'remove', title: t('Delete {{name}}', { name }) },
      { 'aria-label': t('Delete the preset {{name}}', { name }) },
      icon('trash'),
    );
    remove.addEventListener('click', () => void this.#remove(name));
    for (const button of [apply, remove]) button.dataset.preset = name;
    return createElement('li', {}, {}, apply, remove);
  }

  #updateLabel(): void {
    const name = this.#name.value.trim();
    this.#save.textContent = this.#presets.some((preset) => preset.name === name) ? t('Replace') : t('Save');
  }

  async #saveCurrent(): Promise<void> {
    const settings = this.#conf.settings();
    const name = this.#name.value.trim();
    if (settings === null || name === '') return;
    // The socket brings the new list to all pages.
    if (!(await this.#request('PUT', name, JSON.stringify(settings)))) return;
    this.#name.value = '';
    this.#updateLabel();
  }

  async #remove(name: string): Promise<void> {
    const text = t('The settings saved under this name are gone for good. What is on now stays as it is.');
    const title = t('Delete {{name}}?', { name });
    if (await confirmDialog({ title, text })) await this.#request('DELETE', name);
  }

  async #request(method: string, name: string, body?: string): Promise<boolean> {
    try {
      const answer = await fetch(serverUrl(`/api/presets/${encodeURIComponent(name)}`), {
        method,
        ...(body !== undefined && { body, headers: { 'content-type': 'application/json' } }),
      });
      if (!answer.ok) this.#conf.onError(errorText((await answer.json()) as ErrorBody));
      return answer.ok;
    } catch {
      this.#conf.onError(t('The presets stay as they are: the server does not answer.'));
      return false;
    }
  }
}
