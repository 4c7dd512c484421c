/** The panel that makes a phone a camera: an address to scan, and steps that tick themselves off. */

import { encode } from 'uqr';
import type { PhoneGuide } from '../../../shared/messages.ts';
import { t } from '../../language/translate.ts';
import { createElement, element } from '../../lib/dom.ts';
import { isThisMachine } from '../../lib/format.ts';
import { serverUrl } from '../../lib/server-url.ts';
import { guideSteps } from '../phone-steps.ts';

/** Light modules around a QR code, as ISO/IEC 18004 wants them. */
const QUIET_ZONE = 4;

/** Follows while the panel is open. */
export class PhonePanel {
  readonly #panel = element('phone', HTMLDetailsElement);
  readonly #address = element('phone-address', HTMLSelectElement);
  readonly #steps = element('phone-steps', HTMLOListElement);
  readonly #remote = element('phone-remote', HTMLInputElement);
  readonly #streamName: () => string;
  #guide: PhoneGuide | null = null;
  /** The addresses that are shown, one a line. */
  #urls = '';

  /** @param onFollow called when the panel opens or closes. @param streamName name of this page's stream. */
  constructor(onFollow: (on: boolean) => void, streamName: () => string) {
    this.#streamName = streamName;
    this.#remote.addEventListener('change', () => {
      this.#urls = '';
      if (this.#guide !== null) this.show(this.#guide);
    });
    this.#panel.addEventListener('toggle', () => onFollow(this.#panel.open));
    this.#address.addEventListener('change', () => this.#showCode());
  }

  /** Shows how far a phone has come. */
  show(guide: PhoneGuide): void {
    this.#guide = guide;
    const isRemote = this.#remote.checked;
    // The address by which this page was reached is known to work, where it is not this machine's own.
    const own = isThisMachine(location.hostname) ? [] : [serverUrl('/')];
    const path = isRemote ? `remote/${this.#streamName()}` : '';
    const urls = [...new Set([...own, ...guide.urls])].map((url) => url + path);
    element('phone-closed', HTMLElement).hidden = urls.length > 0;
    element('phone-open', HTMLElement).hidden = urls.length === 0;
    if (urls.length === 0) return;
    this.#showAddresses(urls);
    const items = guideSteps(guide, isRemote).map(({ title, hint, state }) =>
      createElement(
        'li',
        {},
        { 'data-state': state, ...(state === 'now' && { 'aria-current': 'step' }) },
        createElement('b', { textContent: title }),
        ...(state === 'done' ? [createElement('span', { className: 'unseen', textContent: t('done') })] : []),
        ...(hint === null ? [] : [createElement('small', { textContent: hint })]),
      ),
    );
    this.#steps.replaceChildren(...items);
    const view = element('phone-view', HTMLAnchorElement);
    view.hidden = guide.stream === null || isRemote;
    view.href = serverUrl(`/view/${guide.stream ?? ''}`);
  }

  #showAddresses(urls: readonly string[]): void {
    if (urls.join('\n') === this.#urls) return;
    this.#urls = urls.join('\n');
    this.#address.replaceChildren(
      ...urls.map((url) => createElement('option', { value: url, textContent: url, translate: false })),
    );
    this.#showCode();
  }

  #showCode(): void {
    const { data, size } = encode(this.#address.value, { border: QUIET_ZONE });
    const dark = data.flatMap((row, y) => row.flatMap((isDark, x) => (isDark ? [`M${x} ${y}h1v1h-1z`] : [])));
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    svg.setAttribute('viewBox', `0 0 ${size} ${size}`);
    svg.setAttribute('shape-rendering', 'crispEdges');
    const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    path.setAttribute('d', dark.join(''));
    svg.append(path);
    element('phone-code', HTMLElement).replaceChildren(svg);
    element('phone-code', HTMLElement).setAttribute(
      'aria-label',
      t('QR code of {{address}}', { address: this.#address.value }),
    );
  }
}
