/** Settings of a session for tests. */

import { DEFAULT_SETTINGS, type SettingsPatch, type SwapSettings } from '../../src/shared/settings.ts';

/** The defaults with the face `source`, changed by the patch. */
export const swapSettings = (patch: SettingsPatch = {}): SwapSettings => ({
  ...DEFAULT_SETTINGS,
  face: 'source',
  ...patch,
});
