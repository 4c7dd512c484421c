/** The list of source faces. */

import { CONSENT_STATEMENT } from '../../../shared/duties/consent-statement.ts';
import type { ErrorBody, FaceInfo } from '../../../shared/messages.ts';
import { errorText } from '../../language/error-texts.ts';
import { t } from '../../language/translate.ts';
import { confirmDialog } from '../../lib/confirm-dialog.ts';
import { createElement, element, icon, press } from '../../lib/dom.ts';
import { serverUrl } from '../../lib/server-url.ts';

/** What the gallery tells its page. */
export interface GalleryConf {
  onChoose(face: string | null): void;
  onAddPhoto(face: FaceInfo): void;
  /** Shows the page of a face; absent where there is none. */
  onOpen?(face: FaceInfo): void;
  /** Finds and orders faces, and is told which was chosen; absent where all are shown as they come. */
  tools?: { shown(faces: readonly FaceInfo[]): readonly FaceInfo[]; used(face: string): void };
  onError(message: string): void;
}

/**
 * One card for each face and one for none; the selected card is pressed. Uploaded faces can be deleted. A face whose consent
 * is due asks for it when it is chosen.
 */
export class FaceGallery {
  readonly #conf: GalleryConf;
  readonly #list = element('gallery', HTMLUListElement);
  #faces: readonly FaceInfo[] = [];
  #selected: string | null = null;

  constructor(conf: GalleryConf) {
    this.#conf = conf;
  }

  /** The faces that were last shown. */
  get faces(): readonly FaceInfo[] {
    return this.#faces;
  }

  /** A face's name; `No face` for null and for faces that are gone. */
  nameOf(id: string | null): string {
    return this.#faces.find((face) => face.id === id)?.name ?? t('No face');
  }

  /** Shows these faces. The keyboard's focus stays on its face. */
  show(faces: readonly FaceInfo[]): void {
    const active = document.activeElement;
    const focused = active instanceof HTMLElement && this.#list.contains(active) ? active.dataset.faceId : undefined;
    this.#faces = faces;
    this.#list.replaceChildren(
      this.#noneItem(),
      ...(this.#conf.tools?.shown(faces) ?? faces).map((face) => this.#item(face)),
    );
    this.select(this.#selected);
    if (focused === undefined) return;
    const same = this.#list.querySelector<HTMLElement>(`[data-face-id="${CSS.escape(focused)}"]`);
    (same ?? this.#list.querySelector<HTMLElement>('.card'))?.focus();
  }

  /** Shows the same faces anew. */
  refresh(): void {
    this.show(this.#faces);
  }

  /** Marks a face as chosen. */
  select(face: string | null): void {
    this.#selected = face;
    for (const card of this.#list.querySelectorAll<HTMLButtonElement>('.card'))
      press(card, (card.dataset.faceId || null) === face);
  }

  #choose(id: string | null): void {
    if (id !== null) this.#conf.tools?.used(id);
    this.#conf.onChoose(id);
  }

  #noneItem(): HTMLLIElement {
    const card = this.#card(null, t('No face'), createElement('span', { className: 'picture' }, {}, icon('none')));
    card.append(createElement('small', { textContent: t('As you are') }));
    return createElement('li', {}, {}, card);
  }

  #item(face: FaceInfo): HTMLLIElement {
    const { id, name, builtIn, thumbnail, photos, consentDue } = face;
    const picture = createElement('img', {
      className: 'picture',
      src: serverUrl(thumbnail),
      alt: '',
      loading: 'lazy',
      draggable: false,
    });
    const card = this.#card(id, name, picture, consentDue ? () => void this.#confirm(face) : undefined);
    card.append(
      createElement('small', {
        textContent: consentDue
          ? t('Confirm again')
          : builtIn
            ? t('Included')
            : t('{{count}} photos', { count: photos }),
      }),
    );
    const item = createElement('li', {}, {}, card);
    const tools = createElement('div', { className: 'tools' });
    const { onOpen } = this.#conf;
    if (onOpen !== undefined) tools.append(this.#tool('info', t('About {{name}}', { name }), () => onOpen(face)));
    item.append(tools);
    if (builtIn) return item;
    const more = this.#tool('photo', t('Add another photo of {{name}}', { name }), () => this.#conf.onAddPhoto(face));
    const remove = this.#tool('trash', t('Delete {{name}}', { name }), () => void this.#remove(face));
    tools.append(more, remove);
    return item;
  }

  #card(id: string | null, name: string, picture: HTMLElement, onClick = () => this.#choose(id)): HTMLButtonElement {
    const label = createElement('span', { className: 'name', textContent: name, dir: 'auto', translate: id === null });
    const card = createElement('button', { type: 'button', className: 'card', title: name }, {}, picture, label);
    card.dataset.faceId = id ?? '';
    card.addEventListener('click', onClick);
    return card;
  }

  #tool(name: string, label: string, does: () => void): HTMLButtonElement {
    const button = createElement('button', { type: 'button', title: label }, { 'aria-label': label }, icon(name));
    button.addEventListener('click', does);
    return button;
  }

  /** Asks again whether the face may be used, and then chooses it. */
  async #confirm({ id, name }: FaceInfo): Promise<void> {
    const text = t('{{statement}} This is recorded with the time.', { statement: t(CONSENT_STATEMENT) });
    const title = t('May you still use {{name}}?', { name });
    if (!(await confirmDialog({ title, text, action: t('I may use it') }))) return;
    const init = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ consent: true }),
    };
    if (
      await this.#ask(
        `/api/faces/${encodeURIComponent(id)}/consent`,
        init,
        t('Nothing was confirmed: the server does not answer.'),
      )
    )
      this.#choose(id);
  }

  async #remove({ id, name }: FaceInfo): Promise<void> {
    const worn = t('It is the face chosen now. The picture will show you as you are.');
    const text = t('The photos of this face and the consent for it are removed for good, here and in presets.');
    const title = t('Delete {{name}}?', { name });
    if (!(await confirmDialog({ title, text, ...(id === this.#selected && { warning: worn }) }))) return;
    // The socket brings the new list, and the changed settings of sessions that used the face, to all pages.
    await this.#ask(
      `/api/faces/${encodeURIComponent(id)}`,
      { method: 'DELETE' },
      t('The face was not deleted: the server does not answer.'),
    );
  }

  /** Sends a request. @param silence is said where the server does not answer. @returns whether the server did it. */
  async #ask(path: string, init: RequestInit, silence: string): Promise<boolean> {
    try {
      const answer = await fetch(serverUrl(path), init);
      if (!answer.ok) this.#conf.onError(errorText((await answer.json()) as ErrorBody));
      return answer.ok;
    } catch {
      this.#conf.onError(silence);
      return false;
    }
  }
}
