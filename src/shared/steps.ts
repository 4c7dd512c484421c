/** Changes of one step, as a key, a button or a REST call makes them. */

import type { FaceInfo } from './messages.ts';
import type { KeyOfType, SettingsPatch, SwapSettings } from './settings.ts';

/** The settings that a key or a REST call toggles. */
export const SWITCHES = ['on', 'offAir', 'keepEyes', 'keepMouth'] as const satisfies readonly KeyOfType<boolean>[];
/** One of SWITCHES. */
export type Switch = (typeof SWITCHES)[number];

/**
 * The id of the next face (`by` 1) or the previous one (`by` -1); the list is a ring. From no face it goes to the first
 * or the last. Faces whose consent is due are passed over. Null if there is none.
 */
export function stepFace(faces: readonly FaceInfo[], face: string | null, by: 1 | -1): string | null {
  const usable = faces.filter(({ consentDue }) => !consentDue);
  const at = usable.findIndex(({ id }) => id === face);
  const from = at < 0 && by < 0 ? 0 : at;
  return usable[(from + by + usable.length) % usable.length]?.id ?? null;
}

/** The change that flips a switch. */
export const toggled = (settings: SwapSettings, name: Switch): SettingsPatch => ({ [name]: !settings[name] });
