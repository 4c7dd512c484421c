/** The studio's keyboard shortcuts. */

import { createElement, element } from '../lib/dom.ts';
import { storedNote, storeNote } from '../lib/local-notes.ts';
import { actionOf, isTaken, SHORTCUTS, type ShortcutAction } from './shortcuts.ts';

/** Shortcuts work on the whole page, except in text fields, and can be switched off. A dialog lists them. */
export class Keyboard {
  readonly #dialog = element('shortcuts', HTMLDialogElement);
  readonly #enabled = element('shortcuts-on', HTMLInputElement);

  /** @param onAction called with what a key does; `key` is the preset's number. */
  constructor(onAction: (action: Exclude<ShortcutAction, 'help'>, key: string) => void) {
    this.#enabled.checked = storedNote('shortcuts') !== 'off';
    this.#enabled.addEventListener('change', () => storeNote('shortcuts', this.#enabled.checked ? 'on' : 'off'));
    element('shortcuts-open', HTMLButtonElement).addEventListener('click', () => this.#dialog.showModal());
    element('shortcuts-list', HTMLElement).replaceChildren(
      ...SHORTCUTS.map(({ shown, label }) => {
        const keys = shown.map((key) => createElement('kbd', { textContent: key, translate: false }));
        return createElement(
          'div',
          {},
          {},
          createElement('dt', {}, {}, ...keys),
          createElement('dd', { textContent: label }),
        );
      }),
    );
    addEventListener('keydown', (event) => {
      const action = actionOf(event);
      if (action === null || event.defaultPrevented || !this.#enabled.checked || isUsedElsewhere(event)) return;
      event.preventDefault();
      if (action === 'help') this.#dialog.showModal();
      else onAction(action, event.key);
    });
  }
}

/** Whether the key belongs to an open dialog or to the focused element. */
function isUsedElsewhere({ key, target }: KeyboardEvent): boolean {
  if (document.querySelector('dialog[open]') !== null) return true;
  return target instanceof HTMLElement && isTaken(key, { kind: kindOf(target) });
}

/** The kind of an element, as `isTaken` knows it. */
function kindOf(target: HTMLElement): string {
  if (target instanceof HTMLInputElement) return `input ${target.type}`;
  if (target.getAttribute('role') === 'slider') return 'input range';
  if (target.isContentEditable) return 'textarea';
  const name = target.tagName.toLowerCase();
  return /^(select|textarea|button|a|summary)$/.test(name) ? name : 'other';
}
