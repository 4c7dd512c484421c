/** The panel that tells how others see the stream: its name, the address of its page, and how OBS takes it. */

import { copyFrom } from '../../lib/copy-text.ts';
import { element } from '../../lib/dom.ts';
import { storedNote, storeNote } from '../../lib/local-notes.ts';
import { toast } from '../../lib/toast.ts';

/** The server's name for the first page that wants none. */
const USUAL = 'studio';
const NAME = /^[A-Za-z0-9_-]{1,64}$/;

export class SharePanel {
  readonly #name = element('stream', HTMLInputElement);
  readonly #address = element('view-address', HTMLInputElement);
  /** What the running stream is called. */
  #live: string | null = null;

  constructor() {
    this.#name.value = storedNote('stream') ?? '';
    this.#name.addEventListener('change', () => this.#rename());
    this.#address.addEventListener('focus', () => this.#address.select());
    element('copy', HTMLButtonElement).addEventListener('click', () => void copyFrom(this.#address));
    this.#show();
  }

  /** The name that the person chose; undefined leaves it to the server. */
  get requestedName(): string | undefined {
    const name = this.#name.value.trim();
    return NAME.test(name) && name !== USUAL ? name : undefined;
  }

  /** @param stream what the server calls it; null when it is over. */
  live(stream: string | null): void {
    this.#live = stream;
    this.#show();
  }

  /** @param locked whether the server wants a token. */
  hint(locked: boolean): void {
    element('obs-token', HTMLElement).hidden = !locked;
  }

  #rename(): void {
    const name = this.#name.value.trim();
    this.#name.setCustomValidity(name === '' || NAME.test(name) ? '' : 'Letters, digits, - and _ only.');
    if (!this.#name.reportValidity()) return;
    storeNote('stream', name);
    if (this.#live !== null) toast('The stream takes its new name when it is started again.');
    this.#show();
  }

  #show(): void {
    this.#address.value = `${location.origin}/view/${this.#live ?? this.requestedName ?? USUAL}`;
  }
}
