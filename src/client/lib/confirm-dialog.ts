/** Asks before something is deleted for good. */

import { element } from './dom.ts';

export interface Question {
  title: string;
  text: string;
  /** What it means just now, where it means something. */
  warning?: string;
}

/** Whether the person says yes. */
export function confirmDialog({ title, text, warning }: Question): Promise<boolean> {
  const dialog = element('confirm', HTMLDialogElement);
  element('confirm-title', HTMLElement).textContent = title;
  element('confirm-text', HTMLElement).textContent = text;
  element('confirm-warning', HTMLElement).hidden = warning === undefined;
  element('confirm-warning', HTMLElement).textContent = warning ?? '';
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'delete'), { once: true });
  });
}
