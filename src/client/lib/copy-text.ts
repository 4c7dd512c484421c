/** Copying a field's text to the clipboard. */

import { t } from '../language/translate.ts';
import { toast } from './toast.ts';

/**
 * Copies the text and says so in a toast; without a clipboard it selects the text for the person to copy. Never
 * rejects.
 */
export async function copyFrom(field: HTMLInputElement): Promise<void> {
  try {
    await navigator.clipboard.writeText(field.value);
    toast(t('Copied.'));
  } catch {
    // Browsers give the clipboard to secure pages only.
    field.focus();
    field.select();
    toast(t('Press Ctrl+C or ⌘C to copy the address.'));
  }
}
