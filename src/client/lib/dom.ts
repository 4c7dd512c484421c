/** Small helpers around the DOM. */

import type { BoxPlacement } from './format.ts';

/** The element with that id, of that kind. @throws when the page does not have it. */
export function element<T extends HTMLElement>(id: string, kind: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} #${id}`);
  return found;
}

/** A new element. Attributes are for what not every browser knows as a property, such as `aria-*`. */
export function createElement<K extends keyof HTMLElementTagNameMap>(
  name: K,
  properties: Partial<HTMLElementTagNameMap[K]>,
  attributes: Record<string, string> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = Object.assign(document.createElement(name), properties);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** One of the symbols at the top of the page. */
export function icon(name: string): SVGSVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', `#i-${name}`);
  svg.append(use);
  return svg;
}

export const isPressed = (button: HTMLElement): boolean => button.getAttribute('aria-pressed') === 'true';

export const press = (button: HTMLElement, on: boolean): void => button.setAttribute('aria-pressed', String(on));

export const place = (box: HTMLElement, where: BoxPlacement): void => void Object.assign(box.style, where);
