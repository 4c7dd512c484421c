/** What a client may send as settings, checked. */

import { z } from 'zod';
import { FACE_CHOICES, FALLBACKS, type SwapSettings } from '../pipeline/types.ts';

const faceId = z.string().min(1).max(64);

export const SettingsPatch = z.strictObject({
  face: faceId.nullable().optional(),
  engine: z.string().min(1).max(64).optional(),
  choice: z.enum(FACE_CHOICES).optional(),
  map: z.record(z.string().regex(/^\d{1,9}$/), faceId.nullable()).optional(),
  strength: z.number().min(0).max(1).optional(),
  shape: z.number().min(0).max(1).optional(),
  keepEyes: z.boolean().optional(),
  keepMouth: z.boolean().optional(),
  fallback: z.enum(FALLBACKS).optional(),
  guarded: z.boolean().optional(),
  badge: z.boolean().optional(),
});

/** Leaves out what was not given, so that it does not overwrite what is set. */
export function settingsOf(patch: z.infer<typeof SettingsPatch>): Partial<SwapSettings> {
  return Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined)) as Partial<SwapSettings>;
}
