/** Keys that work anywhere on the page but where somebody types, and the list of them. They can be switched off. */

import { createElement, element } from '../lib/dom.ts';
import { storedNote, storeNote } from '../lib/local-notes.ts';
import { actionOf, isTaken, SHORTCUTS, type ShortcutAction } from './shortcuts.ts';

export class Keyboard {
  readonly #dialog = element('shortcuts', HTMLDialogElement);
  readonly #enabled = element('shortcuts-on', HTMLInputElement);

  /** @param onAction told what to do; `key` tells which preset. */
  constructor(onAction: (action: Exclude<ShortcutAction, 'help'>, key: string) => void) {
    this.#enabled.checked = storedNote('shortcuts') !== 'off';
    this.#enabled.addEventListener('change', () => storeNote('shortcuts', this.#enabled.checked ? 'on' : 'off'));
    element('shortcuts-open', HTMLButtonElement).addEventListener('click', () => this.#dialog.showModal());
    element('shortcuts-list', HTMLElement).replaceChildren(
      ...SHORTCUTS.map(({ shown, label }) => {
        const keys = shown.map((key) => createElement('kbd', { textContent: key }));
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
      if (action === null || event.defaultPrevented || !this.#enabled.checked || isBusy(event)) return;
      event.preventDefault();
      if (action === 'help') this.#dialog.showModal();
      else onAction(action, event.key);
    });
  }
}

/** Whether the key is meant for a dialog or for what has the focus. */
function isBusy({ key, target }: KeyboardEvent): boolean {
  if (document.querySelector('dialog[open]') !== null) return true;
  return target instanceof HTMLElement && isTaken(key, { kind: kindOf(target) });
}

function kindOf(target: HTMLElement): string {
  if (target instanceof HTMLInputElement) return `input ${target.type}`;
  if (target.getAttribute('role') === 'slider') return 'input range';
  if (target.isContentEditable) return 'textarea';
  const name = target.tagName.toLowerCase();
  return /^(select|textarea|button|a|summary)$/.test(name) ? name : 'other';
}
