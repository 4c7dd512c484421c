/** The studio's buttons for packs of faces. */

import { CONSENT_STATEMENT } from '../../../shared/duties/consent-statement.ts';
import type { ErrorBody, FaceInfo, PackImport } from '../../../shared/messages.ts';
import { confirmDialog } from '../../lib/confirm-dialog.ts';
import { createElement, element } from '../../lib/dom.ts';
import { serverUrl } from '../../lib/server-url.ts';

/** Imports a zip, once the person has confirmed that they may use every face of it; exports the faces that were added. */
export class FacePacks {
  readonly #button = element('pack-import', HTMLButtonElement);
  readonly #file = element('pack-file', HTMLInputElement);
  readonly #refused = element('pack-refused', HTMLUListElement);
  readonly #say: (message: string) => void;

  /** @param say shows a sentence for a moment. */
  constructor(say: (message: string) => void) {
    this.#say = say;
    this.#button.addEventListener('click', () => this.#file.click());
    this.#file.addEventListener('change', () => {
      const file = this.#file.files?.[0];
      this.#file.value = '';
      if (file !== undefined) void this.#import(file);
    });
  }

  /** The gallery has these faces now. */
  show(faces: readonly FaceInfo[]): void {
    element('pack-export', HTMLAnchorElement).hidden = faces.every(({ builtIn }) => builtIn);
  }

  async #import(file: File): Promise<void> {
    this.#refused.replaceChildren();
    const text = `${CONSENT_STATEMENT} That holds for every face of the pack, and is recorded with the time.`;
    if (!(await confirmDialog({ title: `Import ${file.name}?`, text, action: 'I may use them' }))) return;
    const body = new FormData();
    body.append('consent', 'true');
    body.append('file', file);
    this.#button.disabled = true;
    try {
      const answer = await fetch(serverUrl('/api/face-pack'), { method: 'POST', body });
      const reply: unknown = await answer.json();
      if (answer.ok) this.#tell(reply as PackImport);
      else this.#say((reply as ErrorBody).message);
    } catch {
      this.#say('The server does not answer. Is FaceOff still running?');
    } finally {
      this.#button.disabled = false;
    }
  }

  #tell({ added, refused }: PackImport): void {
    this.#say(added.length === 1 ? `${added[0]!.name} was added.` : `${added.length} faces were added.`);
    const lines = refused.map(({ name, message }) => createElement('li', { textContent: `${name}: ${message}` }));
    this.#refused.replaceChildren(...lines);
  }
}
