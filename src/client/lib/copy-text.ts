/** Copies the text of a field, and says so. */

import { toast } from './toast.ts';

export async function copyFrom(field: HTMLInputElement): Promise<void> {
  try {
    await navigator.clipboard.writeText(field.value);
    toast('Copied.');
  } catch {
    // Browsers lend the clipboard to secure pages only.
    field.focus();
    field.select();
    toast('Press Ctrl+C or ⌘C to copy the address.');
  }
}
