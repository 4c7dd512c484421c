/** The studio's buttons for packs of faces. */

import { CONSENT_STATEMENT } from '../../../shared/duties/consent-statement.ts';
import type { ErrorBody, FaceInfo, PackImport } from '../../../shared/messages.ts';
import { errorText } from '../../language/error-texts.ts';
import { t } from '../../language/translate.ts';
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
    const text = t('{{statement}} That holds for every face of the pack, and is recorded with the time.', {
      statement: t(CONSENT_STATEMENT),
    });
    const title = t('Import {{name}}?', { name: file.name });
    if (!(await confirmDialog({ title, text, action: t('I may use them') }))) return;
    const body = new FormData();
    body.append('consent', 'true');
    body.append('file', file);
    this.#button.disabled = true;
    try {
      const answer = await fetch(serverUrl('/api/face-pack'), { method: 'POST', body });
      const reply: unknown = await answer.json();
      if (answer.ok) this.#tell(reply as PackImport);
      else this.#say(errorText(reply as ErrorBody));
    } catch {
      this.#say(t('The server does not answer. Is FaceOff still running?'));
    } finally {
      this.#button.disabled = false;
    }
  }

  #tell({ added, refused }: PackImport): void {
    this.#say(
      added.length === 1
        ? t('Face added: {{name}}', { name: added[0]!.name })
        : t('{{count}} faces were added.', { count: added.length }),
    );
    const lines = refused.map(({ name, ...why }) =>
      createElement('li', { textContent: t('{{name}}: {{why}}', { name, why: errorText(why) }) }),
    );
    this.#refused.replaceChildren(...lines);
  }
}
