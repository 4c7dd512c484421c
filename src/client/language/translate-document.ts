/** Translates what a page's HTML says. The HTML is English; `translate="no"` marks what stays as it is. */

import { say } from './translate.ts';

/** Attributes that people read or hear. */
const SPOKEN_ATTRIBUTES = ['title', 'aria-label', 'placeholder', 'alt'] as const;

const LETTER = /\p{L}/u;

/** Translates the texts and the spoken attributes of an element and of all within it. */
export function translateTexts(root: Element): void {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT, (node) =>
    node instanceof Element && isLeftAsItIs(node) ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT,
  );
  for (let node: Node | null = walker.currentNode; node !== null; node = walker.nextNode()) {
    if (node instanceof Text) node.data = translated(node.data);
    else if (node instanceof Element) translateAttributes(node);
  }
}

const isLeftAsItIs = (element: Element): boolean =>
  element.getAttribute('translate') === 'no' || ['SCRIPT', 'STYLE'].includes(element.tagName);

function translateAttributes(element: Element): void {
  for (const name of SPOKEN_ATTRIBUTES) {
    const text = element.getAttribute(name);
    if (text !== null) element.setAttribute(name, translated(text));
  }
}

/** A text in the reader's language, with the white space around it. */
function translated(text: string): string {
  const [, before = '', words = '', after = ''] = /^(\s*)(.*?)(\s*)$/s.exec(text) ?? [];
  return LETTER.test(words) ? `${before}${say({ key: words.replace(/\s+/g, ' ') })}${after}` : text;
}
