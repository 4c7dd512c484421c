/** Shows how a face will look before it is added, and what is wrong with its photo. */

import type { ErrorBody, FacePreview } from '../../shared/messages.ts';
import { say, t } from '../language/translate.ts';
import { createElement, element } from '../lib/dom.ts';
import { serverUrl } from '../lib/server-url.ts';

const BEFORE = t('Once you confirm below, the face is shown as it will look.');
const WAITING = t('Drawing the face…');
const AFTER = t(
  'The photo, and the face as it will look on another head. Live, it takes your own light and expression.',
);

/** The preview of the dialog that adds a face. Asks the server only when `show` is called. */
export class FaceLook {
  readonly #picture = element('look', HTMLImageElement);
  readonly #hint = element('look-hint', HTMLParagraphElement);
  readonly #findings = element('findings', HTMLUListElement);
  #request: AbortController | null = null;

  /** @param body what `POST /api/faces` would be sent. @param onRefused receives why the server cannot show the face. */
  async show(body: FormData, onRefused: (error: ErrorBody) => void): Promise<void> {
    this.clear();
    const request = new AbortController();
    this.#request = request;
    this.#hint.textContent = WAITING;
    try {
      const answer = await fetch(serverUrl('/api/faces/preview'), { method: 'POST', body, signal: request.signal });
      const reply: unknown = await answer.json();
      if (request.signal.aborted) return;
      if (answer.ok) this.#fill(reply as FacePreview);
      else onRefused(reply as ErrorBody);
      this.#hint.textContent = answer.ok ? AFTER : '';
    } catch {
      if (!request.signal.aborted) this.#hint.textContent = t('The server does not answer. Is FaceOff still running?');
    }
  }

  /** Shows nothing; an answer on its way is ignored. */
  clear(): void {
    this.#request?.abort();
    this.#picture.removeAttribute('src');
    this.#findings.replaceChildren();
    this.#hint.textContent = BEFORE;
  }

  #fill({ picture, findings }: FacePreview): void {
    this.#picture.src = picture;
    this.#findings.replaceChildren(
      ...findings.map(({ message }) => createElement('li', { textContent: say({ key: message }) })),
    );
  }
}
