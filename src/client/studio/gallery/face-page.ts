/** The page of a face: its photos, what each lacks, and which photo would help. */

import type { ErrorBody, FaceInfo, FaceReport, PhotoReport } from '../../../shared/messages.ts';
import { errorText } from '../../language/error-texts.ts';
import { say, showDay, t } from '../../language/translate.ts';
import { createElement, element } from '../../lib/dom.ts';
import { serverUrl } from '../../lib/server-url.ts';

/** What a face's page does when it is closed. */
export interface FacePageConf {
  onChoose(face: FaceInfo): void;
  onAddPhoto(face: FaceInfo): void;
}

/** Within this angle a head counts as looking into the camera, in degrees. */
const FRONT = 18;

/** A dialog for one face at a time. Included faces can be looked at and chosen. */
export class FacePage {
  readonly #dialog = element('face-page', HTMLDialogElement);
  readonly #note = element('face-page-note', HTMLParagraphElement);
  readonly #photos = element('face-page-photos', HTMLUListElement);
  readonly #advice = element('face-page-advice', HTMLUListElement);
  #face: FaceInfo | null = null;
  #request: AbortController | null = null;

  constructor(conf: FacePageConf) {
    this.#dialog.addEventListener('close', () => {
      this.#request?.abort();
      const face = this.#face;
      this.#face = null;
      if (face === null) return;
      if (this.#dialog.returnValue === 'choose') conf.onChoose(face);
      if (this.#dialog.returnValue === 'add') conf.onAddPhoto(face);
    });
  }

  /** Opens the page of a face. */
  async open(face: FaceInfo): Promise<void> {
    this.#request?.abort();
    const request = new AbortController();
    this.#request = request;
    this.#face = face;
    this.#photos.replaceChildren();
    this.#advice.replaceChildren();
    this.#note.textContent = t('Looking at the photos…');
    element('face-page-title', HTMLElement).textContent = face.name;
    element('face-page-add', HTMLButtonElement).hidden = face.builtIn;
    this.#dialog.returnValue = '';
    if (!this.#dialog.open) this.#dialog.showModal();
    try {
      const answer = await fetch(serverUrl(`/api/faces/${encodeURIComponent(face.id)}`), { signal: request.signal });
      const reply: unknown = await answer.json();
      if (request.signal.aborted) return;
      if (answer.ok) this.#fill(reply as FaceReport);
      else this.#note.textContent = errorText(reply as ErrorBody);
    } catch {
      if (!request.signal.aborted) this.#note.textContent = t('The server does not answer. Is FaceOff still running?');
    }
  }

  #fill({ face, photos, said }: FaceReport): void {
    this.#note.textContent = noteOf(face);
    this.#photos.replaceChildren(...photos.map(photoItem));
    const shown = face.builtIn ? [] : said;
    this.#advice.replaceChildren(...shown.map((phrase) => createElement('li', { textContent: say(phrase) })));
  }
}

/** When the face was added and confirmed. */
function noteOf({ builtIn, addedAt, consentedAt }: FaceInfo): string {
  if (builtIn) return t('Included.');
  if (consentedAt === null) return t('Added {{day}}.', { day: showDay(addedAt) });
  return t('Added {{day}}, consent {{consentDay}}.', { day: showDay(addedAt), consentDay: showDay(consentedAt) });
}

/** From where a photo shows the face. */
function viewOf(yawDegrees: number): string {
  if (Math.abs(yawDegrees) <= FRONT) return t('From the front');
  const turned = { degrees: Math.abs(yawDegrees) };
  return yawDegrees < 0 ? t('Turned {{degrees}}° to the left', turned) : t('Turned {{degrees}}° to the right', turned);
}

function photoItem(photo: PhotoReport): HTMLLIElement {
  const { picture, facePixels, yawDegrees, findings } = photo;
  const view = viewOf(yawDegrees);
  const flaws = findings.map(({ message }) => createElement('li', { textContent: say({ key: message }) }));
  return createElement(
    'li',
    {},
    {},
    createElement('img', { src: serverUrl(picture), alt: view, loading: 'lazy' }),
    createElement(
      'div',
      {},
      {},
      createElement('p', { textContent: t('{{view}}, face {{pixels}} pixels', { view, pixels: facePixels }) }),
      flaws.length === 0
        ? createElement('p', { className: 'hint', textContent: t('A good photo.') })
        : createElement('ul', { className: 'findings' }, {}, ...flaws),
    ),
  );
}
