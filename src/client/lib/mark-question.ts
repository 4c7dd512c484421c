/** What pages say of the mark in the picture, and ask before it is left off. */

import { DISCLOSURE_DUTY, MARK_WORDS } from '../../shared/duties/disclosure-duty.ts';
import { type SettingsPatch, type SwapSettings, wantsSwap } from '../../shared/settings.ts';
import { confirmDialog } from './confirm-dialog.ts';

/** Changes the mark to what its box says; before it is left off, the person is asked, with what the law asks of them. */
export async function changeMark(box: HTMLInputElement, onChange: (patch: SettingsPatch) => void): Promise<void> {
  const badge = box.checked;
  // The box shows what holds until the person has answered.
  box.checked = true;
  const question = { title: 'Leave the mark off?', text: DISCLOSURE_DUTY, action: 'Leave it off' };
  if (badge || (await confirmDialog(question))) onChange({ badge });
}

/** What others see of the mark, for the line beside a person's own picture, which never has it. */
export function markNote(settings: SwapSettings): string {
  if (!wantsSwap(settings)) return 'Your picture goes out as it is, without a mark.';
  return settings.badge
    ? `Others see this picture with “${MARK_WORDS}” in it; your own view is without the mark.`
    : 'Others see this picture without a mark: telling them that it is modified is up to you.';
}
