/** Shows a face of the gallery on the person in the picture, to them alone, before it is chosen. */

import type { ErrorBody } from '../../../shared/messages.ts';
import { errorText } from '../../language/error-texts.ts';
import { t } from '../../language/translate.ts';
import { element } from '../../lib/dom.ts';
import { serverUrl } from '../../lib/server-url.ts';

/** How long the pointer rests on a face, or a finger holds it, before it is tried. */
const REST_MS = 250;
const HOLD_MS = 450;
/** Least time from one picture to the next: the session's own frames go first. */
const EVERY_MS = 120;

/** What the trial asks of its page. */
export interface TryOnConf {
  /** The running session; null while there is none. */
  session(): string | null;
  /** The chosen face, which needs no trial. */
  chosen(): string | null;
  nameOf(face: string): string;
  onError(message: string): void;
}

/**
 * The pointer over a card, a finger that holds it, or the keyboard's focus asks the server for pictures of the person with
 * that face, one after another, and lays them over the swapped picture of this page. Viewers see nothing of it.
 */
export class TryOn {
  readonly #conf: TryOnConf;
  readonly #picture = element('trial', HTMLImageElement);
  readonly #tag = element('trial-tag', HTMLElement);
  #face: string | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #request: AbortController | null = null;
  #isHeld = false;

  /** @param list the gallery, whose cards have `data-face-id`. */
  constructor(list: HTMLElement, conf: TryOnConf) {
    this.#conf = conf;
    list.addEventListener('pointerover', (event) => {
      if (event.pointerType === 'mouse') this.#await(cardOf(event), REST_MS);
    });
    list.addEventListener('pointerleave', () => this.end());
    list.addEventListener('focusin', (event) => {
      const card = cardOf(event);
      if (card?.matches(':focus-visible')) this.#await(card, REST_MS);
    });
    list.addEventListener('focusout', () => this.end());
    list.addEventListener('pointerdown', (event) => {
      this.#isHeld = false;
      if (event.pointerType !== 'mouse') this.#await(cardOf(event), HOLD_MS, () => (this.#isHeld = true));
    });
    for (const kind of ['pointerup', 'pointercancel', 'scroll'] as const)
      list.addEventListener(kind, (event) => {
        if (!(event instanceof PointerEvent) || event.pointerType !== 'mouse') this.end();
      });
    list.addEventListener('contextmenu', (event) => {
      if (this.#isHeld) event.preventDefault();
    });
    // A finger that held a card to look at its face has not chosen it.
    list.addEventListener(
      'click',
      (event) => {
        if (this.#isHeld) event.stopPropagation();
        this.#isHeld = false;
        this.end();
      },
      true,
    );
  }

  /** Shows the session's own picture again. Idempotent. */
  end(): void {
    clearTimeout(this.#timer);
    this.#request?.abort();
    this.#face = null;
    this.#picture.hidden = true;
    this.#tag.hidden = true;
    document.body.classList.remove('trying');
    URL.revokeObjectURL(this.#picture.src);
    this.#picture.removeAttribute('src');
  }

  #await(card: HTMLElement | null, afterMs: number, onBegin = (): void => undefined): void {
    const face = card?.dataset.faceId || null;
    if (face !== null && face === this.#face) return;
    this.end();
    if (face === null || face === this.#conf.chosen() || this.#conf.session() === null) return;
    this.#face = face;
    this.#timer = setTimeout(() => {
      onBegin();
      void this.#show(face);
    }, afterMs);
  }

  /** Asks for picture after picture until another face, or none, is tried. */
  async #show(face: string): Promise<void> {
    const request = new AbortController();
    this.#request = request;
    this.#tag.textContent = t('{{face}} on you, for you alone', { face: this.#conf.nameOf(face) });
    this.#tag.hidden = false;
    document.body.classList.add('trying');
    for (let session = this.#conf.session(); session !== null; session = this.#conf.session()) {
      const beganMs = performance.now();
      const path = `/api/sessions/${session}/preview?face=${encodeURIComponent(face)}`;
      const answer = await fetch(serverUrl(path), { method: 'POST', signal: request.signal }).catch(() => null);
      if (request.signal.aborted) return;
      if (answer === null || !answer.ok) {
        this.end();
        const reply = (await answer?.json().catch(() => null)) as ErrorBody | null | undefined;
        if (reply) this.#conf.onError(errorText(reply));
        return;
      }
      const picture = await answer.blob().catch(() => null);
      if (request.signal.aborted || picture === null) return;
      this.#lay(picture);
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, EVERY_MS - (performance.now() - beganMs))));
      if (request.signal.aborted) return;
    }
    this.end();
  }

  #lay(picture: Blob): void {
    const before = this.#picture.src;
    this.#picture.src = URL.createObjectURL(picture);
    this.#picture.hidden = false;
    URL.revokeObjectURL(before);
  }
}

const cardOf = ({ target }: Event): HTMLElement | null =>
  target instanceof Element ? target.closest<HTMLElement>('.card') : null;
