/** The share panel: how others see the stream. */

import { copyFrom } from '../../lib/copy-text.ts';
import { element } from '../../lib/dom.ts';
import { storedNote, storeNote } from '../../lib/local-notes.ts';
import { serverUrl } from '../../lib/server-url.ts';
import { toast } from '../../lib/toast.ts';

/** The name that the server gives to the first page that asks for none. */
const DEFAULT_NAME = 'studio';
const NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** The stream's name, the address of its page, and how to show it in OBS. */
export class SharePanel {
  readonly #name = element('stream', HTMLInputElement);
  readonly #address = element('view-address', HTMLInputElement);
  /** Name of the running stream; null while none runs. */
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
    return NAME.test(name) && name !== DEFAULT_NAME ? name : undefined;
  }

  /** Shows the running stream's address. @param stream its name on the server; null when it is over. */
  live(stream: string | null): void {
    this.#live = stream;
    this.#show();
  }

  /** Shows or hides the hint about the token. @param locked whether the server wants one. */
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
    this.#address.value = serverUrl(`/view/${this.#live ?? this.requestedName ?? DEFAULT_NAME}`);
  }
}
