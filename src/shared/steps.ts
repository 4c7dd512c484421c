/** Changes of one step, as a key or a button makes them: the same in the studio and over REST. */

import type { FaceInfo, SwapSettings } from './messages.ts';

export const SWITCHES = ['on', 'keepEyes', 'keepMouth'] as const;
/** A setting that is on or off. */
export type Switch = (typeof SWITCHES)[number];

/** @param by 1 for the next face, -1 for the one before; the list is a ring. Null where there is none. */
export function stepFace(faces: readonly FaceInfo[], face: string | null, by: 1 | -1): string | null {
  const at = faces.findIndex(({ id }) => id === face);
  // From no face it goes to the first or the last.
  const from = at < 0 && by < 0 ? 0 : at;
  return faces[(from + by + faces.length) % faces.length]?.id ?? null;
}

export const toggled = (settings: SwapSettings, name: Switch): Partial<SwapSettings> => ({
  [name]: !(settings[name] ?? true),
});
