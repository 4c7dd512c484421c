/** The share panel: how others see the stream. */

import { t } from '../../language/translate.ts';
import { copyFrom } from '../../lib/copy-text.ts';
import { createElement, element } from '../../lib/dom.ts';
import { storedNote, storeNote } from '../../lib/local-notes.ts';
import { serverUrl } from '../../lib/server-url.ts';
import { toast } from '../../lib/toast.ts';
import { SHARE_PROGRAMS } from './share-programs.ts';

/** The name that the server gives to the first page that asks for none. */
const DEFAULT_NAME = 'studio';
const NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** The stream's name, the address of its page, and how to show it in other programs. */
export class SharePanel {
  readonly #name = element('stream', HTMLInputElement);
  readonly #address = element('view-address', HTMLInputElement);
  readonly #program = element('program', HTMLSelectElement);
  #isLocked = false;
  /** Name of the running stream; null while none runs. */
  #live: string | null = null;

  constructor() {
    this.#name.value = storedNote('stream') ?? '';
    this.#name.addEventListener('change', () => this.#rename());
    this.#address.addEventListener('focus', () => this.#address.select());
    this.#program.append(
      ...SHARE_PROGRAMS.map(({ name }) => createElement('option', { textContent: name, translate: false })),
    );
    this.#program.value = storedNote('program') ?? '';
    if (this.#program.selectedIndex < 0) this.#program.selectedIndex = 0;
    this.#program.addEventListener('change', () => {
      storeNote('program', this.#program.value);
      this.#show();
    });
    element('copy', HTMLButtonElement).addEventListener('click', () => void copyFrom(this.#address));
    this.#show();
  }

  /** The name that the person chose; undefined leaves it to the server. */
  get requestedName(): string | undefined {
    const name = this.#name.value.trim();
    return NAME.test(name) && name !== DEFAULT_NAME ? name : undefined;
  }

  /** Name of the running stream, or of the next one. */
  get streamName(): string {
    return this.#live ?? this.requestedName ?? DEFAULT_NAME;
  }

  /** Shows the running stream's address. @param stream its name on the server; null when it is over. */
  live(stream: string | null): void {
    this.#live = stream;
    this.#show();
  }

  /** Shows or hides the hint about the token. @param locked whether the server wants one. */
  hint(locked: boolean): void {
    this.#isLocked = locked;
    this.#show();
  }

  #rename(): void {
    const name = this.#name.value.trim();
    this.#name.setCustomValidity(name === '' || NAME.test(name) ? '' : t('Letters, digits, - and _ only.'));
    if (!this.#name.reportValidity()) return;
    storeNote('stream', name);
    if (this.#live !== null) toast(t('The stream takes its new name when it is started again.'));
    this.#show();
  }

  #show(): void {
    const stream = this.streamName;
    this.#address.value = serverUrl(`/view/${stream}`);
    const program = SHARE_PROGRAMS[this.#program.selectedIndex];
    if (program === undefined) return;
    const isLinux = /Linux/.test(navigator.userAgent) && !/Android/.test(navigator.userAgent);
    const facts = { address: this.#address.value, stream, isLinux, isLocked: this.#isLocked };
    const steps = program.steps(facts).map((step) => createElement('li', { textContent: step }));
    element('program-steps', HTMLOListElement).replaceChildren(...steps);
    const { text, href } = program.link(facts);
    const link = element('program-open', HTMLAnchorElement);
    link.textContent = text;
    link.href = href;
  }
}
