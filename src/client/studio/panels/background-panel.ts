/** The background panel of the studio and of calls. */

import type { BackgroundInfo, ErrorBody } from '../../../shared/messages.ts';
import type { BackgroundChoice, SettingsPatch, SwapSettings } from '../../../shared/settings.ts';
import { errorText } from '../../language/error-texts.ts';
import { t } from '../../language/translate.ts';
import { confirmDialog } from '../../lib/confirm-dialog.ts';
import { announce, createElement, element, icon, press } from '../../lib/dom.ts';
import { serverUrl } from '../../lib/server-url.ts';

const PATH = '/api/backgrounds';
const HINTS: Record<BackgroundChoice, string> = {
  none: '',
  blur: '',
  'strong-blur': '',
  picture: t('It fills the frame. Until a picture is chosen, the room is blurred.'),
  colour: t('In OBS, give the source a Chroma Key filter of this colour. WebRTC carries no transparency.'),
};

type BackgroundSettings = Pick<SwapSettings, 'background' | 'backgroundColour' | 'backgroundPicture'>;

/** What the panel tells its page. */
export interface BackgroundConf {
  onChange(patch: SettingsPatch): void;
  onError(message: string): void;
}

/** Chooses what is shown behind the person, and keeps the pictures for it. */
export class BackgroundPanel {
  readonly #conf: BackgroundConf;
  readonly #choice = element('background', HTMLSelectElement);
  readonly #colour = element('backgroundColour', HTMLInputElement);
  readonly #list = element('background-list', HTMLUListElement);
  readonly #file = element('background-file', HTMLInputElement);
  readonly #add = element('background-add', HTMLButtonElement);
  /** Null before the server said. */
  #pictures: readonly BackgroundInfo[] | null = null;
  #settings: BackgroundSettings | null = null;

  constructor(conf: BackgroundConf) {
    this.#conf = conf;
    this.#choice.addEventListener('change', () =>
      conf.onChange({ background: this.#choice.value as BackgroundChoice }),
    );
    this.#colour.addEventListener('input', () => conf.onChange({ backgroundColour: this.#colour.value }));
    this.#add.addEventListener('click', () => this.#file.click());
    this.#file.addEventListener('change', () => {
      const file = this.#file.files?.[0];
      this.#file.value = '';
      if (file !== undefined) void this.#upload(file);
    });
  }

  /** Reads the list of pictures, and takes one that is gone out of the settings. */
  async load(): Promise<void> {
    const pictures = await this.#ask<BackgroundInfo[]>(
      PATH,
      {},
      t('The backgrounds cannot be listed: the server does not answer.'),
    );
    if (pictures === null) return;
    this.#pictures = pictures;
    this.#list.replaceChildren(...pictures.map((picture, k) => this.#item(picture, k + 1)));
    if (this.#settings !== null) this.show(this.#settings);
    const chosen = this.#settings?.backgroundPicture ?? null;
    if (chosen !== null && !pictures.some(({ id }) => id === chosen)) this.#conf.onChange({ backgroundPicture: null });
  }

  /** Sets every control to the settings; tells no change. */
  show(settings: BackgroundSettings): void {
    const before = this.#settings;
    this.#settings = settings;
    const { background, backgroundColour, backgroundPicture } = settings;
    this.#choice.value = background;
    this.#colour.value = backgroundColour.toLowerCase();
    element('background-pictures', HTMLElement).hidden = background !== 'picture';
    element('background-colours', HTMLElement).hidden = background !== 'colour';
    announce('background-hint', HINTS[background]);
    for (const card of this.#list.querySelectorAll<HTMLButtonElement>('.card'))
      press(card, card.dataset.background === backgroundPicture);
    // One that was added on another page.
    const isNew = backgroundPicture !== null && backgroundPicture !== before?.backgroundPicture;
    if (isNew && this.#pictures?.some(({ id }) => id === backgroundPicture) === false) void this.load();
  }

  #item({ id }: BackgroundInfo, number: number): HTMLLIElement {
    const name = t('Picture {{number}}', { number });
    const deletion = t('Delete {{name}}', { name });
    const src = serverUrl(`${PATH}/${id}/thumbnail`);
    const picture = createElement('img', { className: 'picture', src, alt: '', loading: 'lazy', draggable: false });
    const card = createElement('button', { type: 'button', className: 'card' }, { 'aria-label': name }, picture);
    card.dataset.background = id;
    card.addEventListener('click', () => this.#conf.onChange({ background: 'picture', backgroundPicture: id }));
    const label = { 'aria-label': deletion };
    const remove = createElement('button', { type: 'button', title: deletion }, label, icon('trash'));
    remove.addEventListener('click', () => void this.#remove(id, name));
    return createElement('li', {}, {}, card, createElement('div', { className: 'tools' }, {}, remove));
  }

  async #upload(file: File): Promise<void> {
    const body = new FormData();
    body.set('file', file);
    this.#add.disabled = true;
    const added = await this.#ask<BackgroundInfo>(
      PATH,
      { method: 'POST', body },
      t('The picture was not added: the server does not answer.'),
    );
    this.#add.disabled = false;
    if (added === null) return;
    await this.load();
    this.#conf.onChange({ background: 'picture', backgroundPicture: added.id });
  }

  async #remove(id: string, name: string): Promise<void> {
    const isChosen = this.#settings?.backgroundPicture === id && this.#settings.background === 'picture';
    const warning = t('It is the background chosen now. The room will be blurred.');
    const title = t('Delete {{name}}?', { name });
    const text = t('The picture is removed for good, here and in presets.');
    if (!(await confirmDialog({ title, text, ...(isChosen && { warning }) }))) return;
    await this.#ask(
      `${PATH}/${id}`,
      { method: 'DELETE' },
      t('The picture was not deleted: the server does not answer.'),
    );
    await this.load();
  }

  /** Sends a request. @param silence is said where the server does not answer. @returns the reply; null where there is none. */
  async #ask<T>(path: string, init: RequestInit, silence: string): Promise<T | null> {
    try {
      const answer = await fetch(serverUrl(path), init);
      if (answer.ok) return answer.status === 204 ? null : ((await answer.json()) as T);
      this.#conf.onError(errorText((await answer.json()) as ErrorBody));
    } catch {
      this.#conf.onError(silence);
    }
    return null;
  }
}
