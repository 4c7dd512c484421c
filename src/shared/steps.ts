/** Changes of one step, as a key, a button or a REST call makes them. */

import type { FaceInfo } from './messages.ts';
import type { SettingsPatch, SwapSettings } from './settings.ts';

/** The settings that a key or a REST call toggles. */
export const SWITCHES = ['on', 'keepEyes', 'keepMouth'] as const;
/** One of SWITCHES. */
export type Switch = (typeof SWITCHES)[number];

/**
 * The id of the next face (`by` 1) or the previous one (`by` -1); the list is a ring. From no face it goes to the first
 * or the last. Null if the list is empty.
 */
export function stepFace(faces: readonly FaceInfo[], face: string | null, by: 1 | -1): string | null {
  const at = faces.findIndex(({ id }) => id === face);
  const from = at < 0 && by < 0 ? 0 : at;
  return faces[(from + by + faces.length) % faces.length]?.id ?? null;
}

/** The change that flips a switch. */
export const toggled = (settings: SwapSettings, name: Switch): SettingsPatch => ({ [name]: !settings[name] });
