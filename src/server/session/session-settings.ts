/** What a client may send as settings, checked: by WebSocket, over REST, in a preset. */

import { z } from 'zod';
import { FaceOffError } from '../../shared/errors.ts';
import { FACE_CHOICES, FALLBACKS, type SwapSettings } from '../../shared/types.ts';

const faceId = z.string().min(1).max(64);

const Settings = z.strictObject({
  on: z.boolean().optional(),
  face: faceId.nullable().optional(),
  engine: z.string().min(1).max(64).optional(),
  choice: z.enum(FACE_CHOICES).optional(),
  map: z.record(z.string().regex(/^\d{1,9}$/, 'must be the number of a person'), faceId.nullable()).optional(),
  strength: z.number().min(0).max(1).optional(),
  shape: z.number().min(0).max(1).optional(),
  keepEyes: z.boolean().optional(),
  keepMouth: z.boolean().optional(),
  fallback: z.enum(FALLBACKS).optional(),
  guarded: z.boolean().optional(),
  badge: z.boolean().optional(),
});

/** Those a preset may hold: people are counted anew in each session. */
export const PresetSettings = Settings.omit({ map: true });

/** @throws FaceOffError `bad_settings` (400), naming each field that is wrong; details: fields. */
export const settingsFrom = (given: unknown): Partial<SwapSettings> => checked(Settings, given);

/** @throws FaceOffError `bad_settings` (400), as above. */
export const presetFrom = (given: unknown): Partial<Omit<SwapSettings, 'map'>> => checked(PresetSettings, given);

function checked<T extends object>(schema: z.ZodType<T> & { shape: object }, given: unknown): DefinedOf<T> {
  const { success, data, error } = schema.safeParse(given);
  // Leaves out what was not given, so that it does not overwrite what is set.
  if (success)
    return Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined)) as DefinedOf<T>;
  const wrong = error.issues.flatMap(({ code, path, message, ...issue }) => {
    if (code !== 'unrecognized_keys') return [{ field: path.join('.'), message }];
    const { keys } = issue as { keys: string[] };
    return keys.map((field) => ({ field, message: `cannot be set here; ${Object.keys(schema.shape).join(', ')} can` }));
  });
  const sentences = wrong.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`));
  throw new FaceOffError('bad_settings', `These settings cannot be used. ${sentences.join('. ')}.`.slice(0, 600), {
    status: 400,
    details: { fields: wrong.map(({ field }) => field).filter((field) => field !== '') },
  });
}

type DefinedOf<T> = { [K in keyof T]?: Exclude<T[K], undefined> };
