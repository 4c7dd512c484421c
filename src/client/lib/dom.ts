/** Helpers for the DOM. */

import type { BoxPlacement } from './format.ts';

/** The element with an id. @throws Error when the page has none, or one of another kind. */
export function element<T extends HTMLElement>(id: string, kind: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} #${id}`);
  return found;
}

/** Sets the text of a live region (`role=status`) where it differs: screen readers speak each setting. */
export function announce(id: string, text: string): void {
  const region = element(id, HTMLElement);
  if (region.textContent !== text) region.textContent = text;
}

/**
 * Makes an element. @param attributes those that not every browser has as a property, such as `aria-*`.
 */
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

/** An SVG that shows one of the page's symbols, `i-NAME`. */
export function icon(name: string): SVGSVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', `#i-${name}`);
  svg.append(use);
  return svg;
}

/** Whether a toggle button is pressed, as `aria-pressed` says. */
export const isPressed = (button: HTMLElement): boolean => button.getAttribute('aria-pressed') === 'true';

/** Sets a toggle button's `aria-pressed`. */
export const press = (button: HTMLElement, on: boolean): void => button.setAttribute('aria-pressed', String(on));

/** Moves an absolutely positioned element to where `placeOf` says. */
export const place = (box: HTMLElement, where: BoxPlacement): void => void Object.assign(box.style, where);
