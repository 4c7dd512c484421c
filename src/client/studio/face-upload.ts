/** Adding a face: by click, drop or paste. Nothing is sent before the person says that they may use the face. */

import type { ErrorBody, FaceInfo, PickableFace, SeveralFaces } from '../../shared/messages.ts';
import { createElement, element, place, press } from '../lib/dom.ts';
import { nameFromFile, placeOf } from '../lib/format.ts';

export interface UploadConf {
  faces(): readonly FaceInfo[];
  onAdded(face: FaceInfo): void;
  onError(message: string): void;
}

export class FaceUpload {
  readonly #conf: UploadConf;
  readonly #input = element('file', HTMLInputElement);
  readonly #dialog = element('upload', HTMLDialogElement);
  readonly #name = element('name', HTMLInputElement);
  readonly #consent = element('consent', HTMLInputElement);
  readonly #person = element('person', HTMLSelectElement);
  readonly #preview = element('preview', HTMLImageElement);
  readonly #picks = element('picks', HTMLFieldSetElement);
  readonly #message = element('upload-message', HTMLParagraphElement);
  readonly #save = element('save', HTMLButtonElement);
  #file: File | null = null;
  /** The person the next chosen file is a photo of. */
  #of: FaceInfo | null = null;
  /** Which of several faces; null until one of them was chosen. */
  #pick: number | null = null;
  #several = false;

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
    this.#dialog.addEventListener('close', () => this.#forget());
    this.#person.addEventListener('change', () => this.#showPerson());
    this.#consent.addEventListener('change', () => this.#allow());
    this.#preview.addEventListener('error', () => {
      if (this.#file !== null) element('no-preview', HTMLParagraphElement).hidden = false;
    });
    this.#listenToPage();
  }

  /** Lets the person choose a file. @param of whose further photo it is, if not of a new face. */
  choose(of: FaceInfo | null): void {
    this.#of = of;
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
      this.#of = null;
      this.#open(event.dataTransfer?.files[0]);
    });
    addEventListener('paste', (event) => {
      const file = event.clipboardData?.files[0];
      if (file === undefined) return;
      event.preventDefault();
      this.#of = null;
      this.#open(file);
    });
  }

  #open(file: File | undefined): void {
    if (file === undefined) return;
    if (!file.type.startsWith('image/') && file.type !== '') {
      this.#conf.onError(`${file.name} is not a picture.`);
      return;
    }
    this.#forget();
    this.#file = file;
    element('no-preview', HTMLParagraphElement).hidden = true;
    this.#preview.src = URL.createObjectURL(file);
    this.#name.value = /^image\.\w+$/.test(file.name) ? '' : nameFromFile(file.name);
    this.#consent.checked = false;
    this.#say(null);
    const own = this.#conf.faces().filter((face) => !face.builtIn);
    this.#person.replaceChildren(
      createElement('option', { value: '', textContent: 'A new person' }),
      ...own.map(({ id, name }) => createElement('option', { value: id, textContent: `Another photo of ${name}` })),
    );
    this.#person.value = this.#of?.id ?? '';
    this.#showPerson();
    this.#allow();
    if (!this.#dialog.open) this.#dialog.showModal();
    if (this.#person.value === '') this.#name.select();
  }

  #forget(): void {
    URL.revokeObjectURL(this.#preview.src);
    this.#preview.removeAttribute('src');
    this.#file = null;
    this.#pick = null;
    this.#several = false;
    this.#picks.replaceChildren();
  }

  #showPerson(): void {
    const fresh = this.#person.value === '';
    this.#person.closest('label')!.hidden = this.#person.options.length === 1;
    this.#name.closest('label')!.hidden = !fresh;
    this.#name.required = fresh;
    element('upload-title', HTMLElement).textContent = fresh ? 'Add a face' : 'Add a photo';
    this.#save.textContent = fresh ? 'Add face' : 'Add photo';
  }

  /** The button says by itself what is missing. */
  #allow(): void {
    this.#save.disabled = !this.#consent.checked || (this.#several && this.#pick === null);
  }

  async #send(): Promise<void> {
    const file = this.#file;
    if (file === null || this.#save.disabled) return;
    const body = new FormData();
    body.append('name', this.#name.value.trim());
    body.append('consent', String(this.#consent.checked));
    if (this.#pick !== null) body.append('pick', String(this.#pick));
    if (this.#person.value !== '') body.append('face', this.#person.value);
    body.append('file', file);
    this.#say(null);
    this.#save.disabled = true;
    this.#dialog.setAttribute('aria-busy', 'true');
    try {
      const answer = await fetch('/api/faces', { method: 'POST', body });
      const said: unknown = await answer.json();
      if (file !== this.#file) return;
      if (answer.ok) {
        this.#dialog.close();
        this.#conf.onAdded(said as FaceInfo);
      } else {
        this.#refused(said as ErrorBody);
      }
    } catch {
      this.#say('The server does not answer. Is FaceOff still running?');
    } finally {
      this.#dialog.removeAttribute('aria-busy');
      this.#allow();
    }
  }

  #refused({ code, message, details }: ErrorBody): void {
    this.#say(message);
    if (code !== 'several_faces') return;
    const { width, height, faces } = details as SeveralFaces;
    this.#several = true;
    this.#pick = null;
    this.#picks.replaceChildren(...faces.map((face) => this.#choice(face, { width, height })));
    this.#picks.querySelector('button')?.focus();
  }

  #choice(face: PickableFace, picture: { width: number; height: number }): HTMLButtonElement {
    const button = createElement(
      'button',
      { type: 'button' },
      { 'aria-label': `Face ${face.index + 1}`, 'aria-pressed': 'false' },
      createElement('span', { textContent: String(face.index + 1) }),
    );
    place(button, placeOf(face, picture));
    button.addEventListener('click', () => {
      this.#pick = face.index;
      for (const other of this.#picks.querySelectorAll('button')) press(other, other === button);
      this.#allow();
    });
    return button;
  }

  #say(message: string | null): void {
    this.#message.hidden = message === null;
    this.#message.textContent = message;
  }
}
