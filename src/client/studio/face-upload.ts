/** The dialog that adds a face. */

import type { ErrorBody, FaceInfo, PickableFace, SeveralFaces } from '../../shared/messages.ts';
import { errorText } from '../language/error-texts.ts';
import { t } from '../language/translate.ts';
import { createElement, element, place, press } from '../lib/dom.ts';
import { nameFromFile, placeOf } from '../lib/format.ts';
import { serverUrl } from '../lib/server-url.ts';
import { FaceLook } from './face-look.ts';

/** What the dialog asks of its page. */
export interface UploadConf {
  faces(): readonly FaceInfo[];
  onAdded(face: FaceInfo): void;
  onError(message: string): void;
}

/** What is said once a face, or a photo of one, was added. */
export const addedText = ({ name, photos }: FaceInfo): string =>
  photos > 1 ? t('{{name}} now has {{count}} photos.', { name, count: photos }) : t('Face added: {{name}}', { name });

/** Takes a picture by click, drop or paste. Sends nothing until the person confirms that they may use the face. */
export class FaceUpload {
  readonly #conf: UploadConf;
  readonly #input = element('file', HTMLInputElement);
  readonly #dialog = element('upload', HTMLDialogElement);
  readonly #name = element('name', HTMLInputElement);
  readonly #consent = element('consent', HTMLInputElement);
  readonly #confirmer = element('confirmer', HTMLInputElement);
  readonly #personSelect = element('person', HTMLSelectElement);
  readonly #preview = element('preview', HTMLImageElement);
  readonly #picks = element('picks', HTMLFieldSetElement);
  readonly #message = element('upload-message', HTMLParagraphElement);
  readonly #save = element('save', HTMLButtonElement);
  readonly #look = new FaceLook();
  #file: File | null = null;
  /** The person that the next file is a further photo of; null for a new face. */
  #person: FaceInfo | null = null;
  /** The chosen one of several faces in the picture; null until one is chosen. */
  #pick: number | null = null;
  #hasSeveral = false;

  constructor(conf: UploadConf) {
    this.#conf = conf;
    element('add', HTMLButtonElement).addEventListener('click', () => this.choose(null));
    this.#input.addEventListener('change', () => {
      this.#open(this.#input.files?.[0]);
      this.#input.value = '';
    });
    element('upload-form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#send();
    });
    element('cancel', HTMLButtonElement).addEventListener('click', () => this.#dialog.close());
    this.#dialog.addEventListener('close', () => this.#reset());
    this.#personSelect.addEventListener('change', () => {
      this.#showPerson();
      this.#showLook();
    });
    this.#consent.addEventListener('change', () => {
      this.#updateSave();
      this.#showLook();
    });
    this.#preview.addEventListener('error', () => {
      if (this.#file !== null) element('no-preview', HTMLParagraphElement).hidden = false;
    });
    document.body.dataset.drop = t('Drop the picture to add the face');
    this.#listenToPage();
  }

  /** Opens the browser's file dialog. @param person whose further photo the file is; null for a new face. */
  choose(person: FaceInfo | null): void {
    this.#person = person;
    this.#input.click();
  }

  #listenToPage(): void {
    const holdsFile = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;
    const dropping = (on: boolean): boolean => document.body.classList.toggle('dropping', on);
    addEventListener('dragover', (event) => {
      if (!holdsFile(event)) return;
      event.preventDefault();
      dropping(true);
    });
    addEventListener('dragleave', (event) => {
      if (event.relatedTarget === null) dropping(false);
    });
    addEventListener('drop', (event) => {
      if (!holdsFile(event)) return;
      event.preventDefault();
      dropping(false);
      this.#person = null;
      this.#open(event.dataTransfer?.files[0]);
    });
    addEventListener('paste', (event) => {
      const file = event.clipboardData?.files[0];
      if (file === undefined) return;
      event.preventDefault();
      this.#person = null;
      this.#open(file);
    });
  }

  #open(file: File | undefined): void {
    if (file === undefined) return;
    if (!file.type.startsWith('image/') && file.type !== '') {
      this.#conf.onError(t('{{name}} is not a picture.', { name: file.name }));
      return;
    }
    this.#reset();
    this.#file = file;
    element('no-preview', HTMLParagraphElement).hidden = true;
    this.#preview.src = URL.createObjectURL(file);
    this.#name.value = /^image\.\w+$/.test(file.name) ? '' : nameFromFile(file.name);
    this.#consent.checked = false;
    this.#showMessage(null);
    const own = this.#conf.faces().filter((face) => !face.builtIn);
    this.#personSelect.replaceChildren(
      createElement('option', { value: '', textContent: t('A new person') }),
      ...own.map(({ id, name }) =>
        createElement('option', { value: id, textContent: t('Another photo of {{name}}', { name }) }),
      ),
    );
    this.#personSelect.value = this.#person?.id ?? '';
    this.#showPerson();
    this.#updateSave();
    if (!this.#dialog.open) this.#dialog.showModal();
    if (this.#personSelect.value === '') this.#name.select();
  }

  #reset(): void {
    URL.revokeObjectURL(this.#preview.src);
    this.#preview.removeAttribute('src');
    this.#file = null;
    this.#pick = null;
    this.#hasSeveral = false;
    this.#picks.replaceChildren();
    this.#look.clear();
  }

  #showPerson(): void {
    const fresh = this.#personSelect.value === '';
    this.#personSelect.closest('label')!.hidden = this.#personSelect.options.length === 1;
    this.#name.closest('label')!.hidden = !fresh;
    this.#name.required = fresh;
    element('upload-title', HTMLElement).textContent = fresh ? t('Add a face') : t('Add a photo');
  }

  /** Enables the button once consent is given and, among several faces, one is chosen. */
  #updateSave(): void {
    this.#save.disabled = !this.#consent.checked || (this.#hasSeveral && this.#pick === null);
  }

  /** Shows the face as it will look, once the person has confirmed that they may use it. */
  #showLook(): void {
    const file = this.#file;
    this.#look.clear();
    if (file === null || !this.#consent.checked) return;
    this.#showMessage(null);
    void this.#look.show(this.#bodyWith(file), (error) => this.#onRefused(error));
  }

  #bodyWith(file: File): FormData {
    const body = new FormData();
    body.append('name', this.#name.value.trim());
    body.append('consent', String(this.#consent.checked));
    body.append('confirmedBy', this.#confirmer.value.trim());
    if (this.#pick !== null) body.append('pick', String(this.#pick));
    if (this.#personSelect.value !== '') body.append('face', this.#personSelect.value);
    body.append('file', file);
    return body;
  }

  async #send(): Promise<void> {
    const file = this.#file;
    if (file === null || this.#save.disabled) return;
    const body = this.#bodyWith(file);
    this.#showMessage(null);
    this.#save.disabled = true;
    this.#dialog.setAttribute('aria-busy', 'true');
    try {
      const answer = await fetch(serverUrl('/api/faces'), { method: 'POST', body });
      const reply: unknown = await answer.json();
      if (file !== this.#file) return;
      if (answer.ok) {
        this.#dialog.close();
        this.#conf.onAdded(reply as FaceInfo);
      } else {
        this.#onRefused(reply as ErrorBody);
      }
    } catch {
      this.#showMessage(t('The server does not answer. Is FaceOff still running?'));
    } finally {
      this.#dialog.removeAttribute('aria-busy');
      this.#updateSave();
    }
  }

  #onRefused(error: ErrorBody): void {
    this.#showMessage(errorText(error));
    if (error.code !== 'several_faces') return;
    const { width, height, faces } = error.details as SeveralFaces;
    this.#hasSeveral = true;
    this.#pick = null;
    this.#updateSave();
    this.#picks.replaceChildren(...faces.map((face) => this.#pickButton(face, { width, height })));
    this.#picks.querySelector('button')?.focus();
  }

  #pickButton(face: PickableFace, picture: { width: number; height: number }): HTMLButtonElement {
    const button = createElement(
      'button',
      { type: 'button' },
      { 'aria-label': t('Face {{number}}', { number: face.index + 1 }), 'aria-pressed': 'false' },
      createElement('span', { textContent: String(face.index + 1) }),
    );
    place(button, placeOf(face, picture));
    button.addEventListener('click', () => {
      this.#pick = face.index;
      for (const other of this.#picks.querySelectorAll('button')) press(other, other === button);
      this.#updateSave();
      this.#showLook();
    });
    return button;
  }

  #showMessage(message: string | null): void {
    this.#message.hidden = message === null;
    this.#message.textContent = message;
  }
}
