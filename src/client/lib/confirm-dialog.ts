/** The dialog that asks before something is deleted for good, or before the mark is left off. */

import { t } from '../language/translate.ts';
import { element } from './dom.ts';

/** The dialog's texts. */
export interface Question {
  title: string;
  text: string;
  /** What the deletion changes at once, where it changes anything. */
  warning?: string;
  /** The button that confirms; `Delete` by default. */
  action?: string;
}

/** Opens the dialog and resolves with whether the person confirmed. The page needs parts/face-dialogs.html. */
export function confirmDialog({ title, text, warning, action = t('Delete') }: Question): Promise<boolean> {
  const dialog = element('confirm', HTMLDialogElement);
  element('confirm-title', HTMLElement).textContent = title;
  element('confirm-text', HTMLElement).textContent = text;
  element('confirm-warning', HTMLElement).hidden = warning === undefined;
  element('confirm-warning', HTMLElement).textContent = warning ?? '';
  element('confirm-action', HTMLElement).textContent = action;
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'confirm'), { once: true });
  });
}
