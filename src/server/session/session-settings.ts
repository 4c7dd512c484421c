/** Checks the settings that clients send: by WebSocket, over REST, in a preset. */

import { z } from 'zod';
import { textSchema } from '../../lib/text-schema.ts';
import { DISCLOSURE_DUTY, type SettingsRequest } from '../../shared/duties/disclosure-duty.ts';
import { FaceOffError } from '../../shared/errors.ts';
import {
  COLOUR,
  NAME_LENGTH,
  type PresetSettings,
  SETTING_KEYS,
  SETTINGS,
  type SettingKey,
  type SettingsPatch,
  type SettingValues,
  type SwapSettings,
} from '../../shared/settings.ts';

const name = textSchema(1, NAME_LENGTH);

/** The zod schema of one kind of values. */
function schemaOf(values: SettingValues): z.ZodType {
  switch (values.kind) {
    case 'flag': {
      return z.boolean();
    }
    case 'share': {
      return z.number().min(0).max(1);
    }
    case 'whole': {
      return z.int().min(values.least).max(values.most);
    }
    case 'option': {
      return z.enum(values.options);
    }
    case 'name': {
      return values.nullable ? name.nullable() : name;
    }
    case 'colour': {
      return z.string().regex(COLOUR, 'must be a colour such as #00b140');
    }
    case 'faces': {
      return z.record(z.string().regex(/^\d{1,9}$/, 'must be the number of a person'), name.nullable());
    }
  }
}

/** What each setting means, for the OpenAPI document. */
const MEANINGS: Record<SettingKey, string> = {
  on: 'Whether anything is swapped; false shows the camera and keeps all other settings.',
  offAir: 'Whether viewers see a card in place of the picture, and hear nothing.',
  face: 'Id of the source face; null shows the camera.',
  engine: '`mesh`, the name of a generator that was added, or `none`.',
  choice: 'Which faces of a frame are swapped; `mapped`: each person has their own.',
  map: 'With `mapped`: source face of each person, by track; replaced as a whole.',
  strength: 'How much of the source is shown.',
  shape: 'How far the live face takes the shape of the source’s.',
  keepEyes: 'Whether the live eyes stay as they are.',
  keepMouth: 'Whether the live mouth stays as it is.',
  fallback: 'What is shown when a swap cannot be made: the camera, a mosaic, the last swapped picture.',
  guarded: 'Whether pictures in which a real face may be seen are held back.',
  framing: 'Which part of the camera’s picture is shown: all, its middle, or a part that follows the faces.',
  zoom: 'How far that part is enlarged, 0 (not) to 1 (twice); `face` enlarges so far at most.',
  soundOffsetMs: 'How much later the sound is played than measurements have it, in milliseconds; negative: earlier.',
  background:
    'What is shown behind people: the room, the room blurred, blurred until nothing is recognised, a picture, a colour.',
  backgroundColour: 'With `colour`: #rrggbb.',
  backgroundPicture: 'With `picture`: its id; null shows `strong-blur`.',
  badge: 'Whether modified pictures carry the mark where others see them; false needs `disclosureAcknowledged`.',
};

const settingSchema = (key: SettingKey): z.ZodType => schemaOf(SETTINGS[key].values).describe(MEANINGS[key]);

/** A strict object of the settings of the given keys, each optional. The shape is the table's, so the cast holds. */
const objectOf = <T>(keys: readonly SettingKey[], more: z.ZodRawShape = {}) =>
  z.strictObject({
    ...Object.fromEntries(keys.map((key) => [key, settingSchema(key).optional()])),
    ...more,
  }) as unknown as z.ZodType<T> & {
    shape: object;
  };

/** A change of settings, as clients send it. */
export const patchSchema = objectOf<SettingsRequest>(SETTING_KEYS, {
  disclosureAcknowledged: z
    .boolean()
    .optional()
    .describe('Needed where `badge` is false: you have read what the law asks.'),
});

/** All settings, as replies have them. */
export const allSettingsSchema = z.object(
  Object.fromEntries(SETTING_KEYS.map((key) => [key, settingSchema(key)])),
) as unknown as z.ZodType<SwapSettings>;

/** Checks what a preset holds: not `map`, because track ids are valid for one session only, and not `badge`. */
export const presetSchema = objectOf<PresetSettings>(SETTING_KEYS.filter((key) => SETTINGS[key].preset !== 'never'));

/**
 * @throws FaceOffError `bad_settings` (400), naming each field that is wrong, details: `{ fields: string[] }`;
 *   `disclosure_not_acknowledged` (422) where the mark is to be left off and nothing says that the duty is known.
 */
export function settingsFrom(given: unknown): SettingsPatch {
  const { disclosureAcknowledged = false, ...patch } = checked(patchSchema, given);
  if (patch.badge !== false || disclosureAcknowledged) return patch;
  throw new FaceOffError(
    'disclosure_not_acknowledged',
    `The mark stays in the picture. ${DISCLOSURE_DUTY} Send disclosureAcknowledged: true with badge: false if you do.`,
  );
}

/** As `settingsFrom`, for the settings of a preset. @throws FaceOffError `bad_settings` (400). */
export const presetFrom = (given: unknown): PresetSettings => checked(presetSchema, given);

function checked<T extends object>(schema: z.ZodType<T> & { shape: object }, given: unknown): T {
  const { success, data, error } = schema.safeParse(given);
  // An absent setting must not overwrite the one that is set.
  if (success) return Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined)) as T;
  const wrong = error.issues.flatMap(({ code, path, message, ...issue }) => {
    if (code !== 'unrecognized_keys') return [{ field: path.join('.'), message }];
    const { keys } = issue as { keys: string[] };
    return keys.map((field) => ({ field, message: `cannot be set here; ${Object.keys(schema.shape).join(', ')} can` }));
  });
  const sentences = wrong.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`));
  throw new FaceOffError('bad_settings', `These settings cannot be used. ${sentences.join('. ')}.`.slice(0, 600), {
    details: { fields: wrong.map(({ field }) => field).filter((field) => field !== '') },
  });
}
