/** The source faces, and the dialog that adds one. */

import type { ErrorBody, FaceInfo, SeveralFaces } from '../messages.ts';
import { element, make } from './dom.ts';

export interface GalleryListener {
  onChoose(face: string | null): void;
}

export class Gallery {
  readonly #listener: GalleryListener;
  readonly #list = element('gallery', HTMLUListElement);
  #faces: FaceInfo[] = [];
  #selected: string | null = null;

  constructor(listener: GalleryListener) {
    this.#listener = listener;
    new AddDialog(
      () => this.#faces,
      (face) => this.#listener.onChoose(face.id),
    );
  }

  show(faces: FaceInfo[]): void {
    this.#faces = faces;
    this.#draw();
  }

  select(face: string | null): void {
    this.#selected = face;
    for (const card of this.#list.querySelectorAll<HTMLButtonElement>('.card'))
      card.ariaPressed = String((card.dataset.faceId || null) === face);
  }

  #draw(): void {
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.faceId : undefined;
    this.#list.replaceChildren(
      this.#card({ id: '', name: 'No face', thumbnail: '' }),
      ...this.#faces.map((face) => {
        const item = this.#card(face);
        if (!face.builtIn) item.append(this.#removeButton(face));
        return item;
      }),
    );
    this.select(this.#selected);
    if (focused !== undefined)
      this.#list.querySelector<HTMLElement>(`[data-face-id="${CSS.escape(focused)}"]`)?.focus();
  }

  #card({ id, name, thumbnail }: Pick<FaceInfo, 'id' | 'name' | 'thumbnail'>): HTMLLIElement {
    const card = make('button', { type: 'button', className: 'card', title: name });
    card.dataset.faceId = id;
    const picture =
      id === ''
        ? make('span', { className: 'none', textContent: '∅' })
        : make('img', { src: thumbnail, alt: '', loading: 'lazy' });
    card.append(picture, make('span', { textContent: name }));
    card.onclick = () => this.#listener.onChoose(id || null);
    const item = make('li', {});
    item.append(card);
    return item;
  }

  #removeButton({ id, name }: FaceInfo): HTMLButtonElement {
    const button = make('button', {
      type: 'button',
      className: 'remove',
      textContent: '×',
      ariaLabel: `Delete ${name}`,
    });
    button.onclick = async () => {
      if (!confirm(`Delete the face "${name}"? Its pictures are removed from this machine.`)) return;
      const answer = await fetch(`/api/faces/${id}`, { method: 'DELETE' });
      if (!answer.ok) alert(((await answer.json()) as ErrorBody).message);
    };
    return button;
  }
}

/** Add by click, drop or paste; nothing is sent before the person says they may use the face. */
class AddDialog {
  readonly #dialog = element('dialog', HTMLDialogElement);
  readonly #name = element('name', HTMLInputElement);
  readonly #consent = element('consent', HTMLInputElement);
  readonly #person = element('person', HTMLSelectElement);
  readonly #preview = element('preview', HTMLImageElement);
  readonly #picks = element('picks', HTMLDivElement);
  readonly #error = element('dialog-error', HTMLParagraphElement);
  readonly #save = element('save', HTMLButtonElement);
  readonly #faces: () => FaceInfo[];
  readonly #onAdded: (face: FaceInfo) => void;
  #file: Blob | null = null;
  #pick: number | null = null;

  constructor(faces: () => FaceInfo[], onAdded: (face: FaceInfo) => void) {
    this.#faces = faces;
    this.#onAdded = onAdded;
    const input = element('file', HTMLInputElement);
    element('add', HTMLButtonElement).onclick = () => input.click();
    input.onchange = () => {
      this.#open(input.files?.[0]);
      input.value = '';
    };
    element('cancel', HTMLButtonElement).onclick = () => this.#dialog.close();
    element('form', HTMLFormElement).onsubmit = (event) => {
      event.preventDefault();
      void this.#send();
    };
    this.#dialog.onclose = () => URL.revokeObjectURL(this.#preview.src);
    this.#person.onchange = () => {
      this.#name.disabled = this.#person.value !== '';
    };
    this.#listenToPage();
  }

  #listenToPage(): void {
    const holdsFile = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;
    addEventListener('dragover', (event) => {
      if (!holdsFile(event)) return;
      event.preventDefault();
      document.body.classList.add('dropping');
    });
    addEventListener('dragleave', (event) => {
      if (event.relatedTarget === null) document.body.classList.remove('dropping');
    });
    addEventListener('drop', (event) => {
      if (!holdsFile(event)) return;
      event.preventDefault();
      document.body.classList.remove('dropping');
      this.#open(event.dataTransfer?.files[0]);
    });
    addEventListener('paste', (event) =>
      this.#open([...(event.clipboardData?.files ?? [])].find((file) => file.type.startsWith('image/'))),
    );
  }

  #open(file: File | undefined): void {
    if (file === undefined) return;
    this.#file = file;
    this.#pick = null;
    this.#preview.src = URL.createObjectURL(file);
    this.#name.value = file.name.replace(/\.\w+$/, '').slice(0, 80);
    this.#name.disabled = false;
    this.#consent.checked = false;
    this.#picks.replaceChildren();
    this.#say(null);
    const own = this.#faces().filter((face) => !face.builtIn);
    this.#person.replaceChildren(
      make('option', { value: '', textContent: 'a new person' }),
      ...own.map(({ id, name }) => make('option', { value: id, textContent: `another photo of ${name}` })),
    );
    this.#dialog.showModal();
  }

  async #send(): Promise<void> {
    const body = new FormData();
    body.append('name', this.#name.value);
    body.append('consent', String(this.#consent.checked));
    if (this.#pick !== null) body.append('pick', String(this.#pick));
    if (this.#person.value !== '') body.append('face', this.#person.value);
    body.append('file', this.#file!);
    this.#save.disabled = true;
    this.#say(null);
    try {
      const answer = await fetch('/api/faces', { method: 'POST', body });
      if (answer.ok) {
        this.#dialog.close();
        this.#onAdded((await answer.json()) as FaceInfo);
      } else {
        this.#refused((await answer.json()) as ErrorBody);
      }
    } catch {
      this.#say('The server cannot be reached. Is it still running?');
    } finally {
      this.#save.disabled = false;
    }
  }

  #refused({ code, message, details }: ErrorBody): void {
    this.#say(message);
    if (code !== 'several_faces') return;
    const { width, height, faces } = details as SeveralFaces;
    const percent = (part: number, whole: number): string => `${(100 * part) / whole}%`;
    this.#picks.replaceChildren(
      ...faces.map((face) => {
        const button = make('button', { type: 'button', ariaLabel: `Face ${face.index + 1}`, ariaPressed: 'false' });
        Object.assign(button.style, {
          left: percent(face.x, width),
          top: percent(face.y, height),
          width: percent(face.width, width),
          height: percent(face.height, height),
        });
        button.onclick = () => {
          this.#pick = face.index;
          for (const other of this.#picks.querySelectorAll('button')) other.ariaPressed = String(other === button);
        };
        return button;
      }),
    );
  }

  #say(message: string | null): void {
    this.#error.hidden = message === null;
    this.#error.textContent = message;
  }
}
