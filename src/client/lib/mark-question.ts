/** What pages say of the mark in the picture, and ask before it is left off. */

import { DISCLOSURE_DUTY, MARK_WORDS } from '../../shared/duties/disclosure-duty.ts';
import { type SettingsPatch, type SwapSettings, wantsSwap } from '../../shared/settings.ts';
import { t } from '../language/translate.ts';
import { confirmDialog } from './confirm-dialog.ts';

/** Changes the mark to what its box says; before it is left off, the person is asked, with what the law asks of them. */
export async function changeMark(box: HTMLInputElement, onChange: (patch: SettingsPatch) => void): Promise<void> {
  const badge = box.checked;
  // The box shows what holds until the person has answered.
  box.checked = true;
  const question = { title: t('Leave the mark off?'), text: t(DISCLOSURE_DUTY), action: t('Leave it off') };
  if (badge || (await confirmDialog(question))) onChange({ badge });
}

/**
 * What others see of the mark, for the line beside a person's own picture.
 * @param isOwnMarked whether that has the mark as well, as where it comes back by a cluster.
 */
export function markNote(settings: SwapSettings, isOwnMarked: boolean): string {
  if (!wantsSwap(settings)) return t('Your picture goes out as it is, without a mark.');
  if (settings.badge)
    return isOwnMarked
      ? t('Others see this picture as it comes back to you, with “{{words}}” in it.', { words: MARK_WORDS })
      : t('Others see this picture with “{{words}}” in it; your own view is without the mark.', { words: MARK_WORDS });
  return t('Others see this picture without a mark: telling them that it is modified is up to you.');
}
