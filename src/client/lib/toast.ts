/** Short messages that disappear by themselves. */

import { element } from './dom.ts';

const SHOWN_MS = 7000;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Shows a message for seven seconds; a newer one replaces it. */
export function toast(text: string): void {
  const place = element('toast', HTMLParagraphElement);
  place.textContent = text;
  clearTimeout(timer);
  timer = setTimeout(() => {
    place.textContent = '';
  }, SHOWN_MS);
}
