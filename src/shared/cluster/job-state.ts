/** What a job of a LiveKit worker says holds. */

import type { SettingsPatch, SwapSettings } from '../settings.ts';

/** All settings of a job, and what was wrong with those that were asked for; the attribute STATE_ATTRIBUTE as JSON. */
export interface JobState {
  settings: SwapSettings;
  problem?: string;
}

/** Whether all settings that were asked for are among those that hold. */
export const areIn = (asked: SettingsPatch, settings: SwapSettings): boolean =>
  (Object.keys(asked) as (keyof SettingsPatch)[]).every(
    (key) => asked[key] === undefined || JSON.stringify(asked[key]) === JSON.stringify(settings[key]),
  );
