/**
 * The swap settings, one entry each: what a value may be, its default, where config.yaml sets that default, and which
 * stores keep it. Config, REST and WebSocket checks, presets, the page's notes and docs/control.md follow this table.
 *
 * The table is plain data because the pages import it: zod would add some 60 kB to each of them. The server builds its
 * zod schemas from it in session-settings.ts.
 */

/** What the viewers see when a swap was wanted and cannot be made: the camera, a pixelated picture, the last swapped one. */
export const FALLBACKS = ['passthrough', 'blur', 'freeze'] as const;
/** One of FALLBACKS. */
export type Fallback = (typeof FALLBACKS)[number];

/** What swaps while a generator is not ready, too slow or failing; `none` leaves the frame to the fallback. */
export const RESERVES = ['mesh', 'none'] as const;
/** One of RESERVES. */
export type Reserve = (typeof RESERVES)[number];

/** Which faces of a frame are swapped. */
export const FACE_CHOICES = ['largest', 'all', 'mapped'] as const;
/** One of FACE_CHOICES. */
export type FaceChoice = (typeof FACE_CHOICES)[number];

/** What is shown behind people: the room as it is, blurred, blurred until nothing is recognised, a picture, a colour. */
export const BACKGROUNDS = ['none', 'blur', 'strong-blur', 'picture', 'colour'] as const;
/** One of BACKGROUNDS. */
export type BackgroundChoice = (typeof BACKGROUNDS)[number];

/** The colour of chroma keys: OBS's filter has it as its green. */
const KEY_COLOUR = '#00b140';
/** What a colour looks like. */
export const COLOUR = /^#[\da-f]{6}$/i;
/** Which part of the camera's picture is shown: all of it, its middle, or a part that follows the faces. */
export const FRAMINGS = ['whole', 'centre', 'face'] as const;
/** One of FRAMINGS. */
export type FramingChoice = (typeof FRAMINGS)[number];

/** Name of the engine that is always available, and that serves while another one cannot. */
export const MESH = 'mesh';
/** In place of an engine's name: faces stay as they are. */
export const NONE = 'none';

/** True if the engine is a generator of the model catalogue. */
export const isGenerator = (engine: string): boolean => engine !== MESH && engine !== NONE;

/** Values a setting takes. `name` is a text of 1 to NAME_LENGTH characters; `colour` is #rrggbb; `faces` maps track ids to face ids or null. */
export type SettingValues =
  | { kind: 'flag' }
  | { kind: 'share' }
  | { kind: 'whole'; least: number; most: number }
  | { kind: 'option'; options: readonly [string, ...string[]] }
  | { kind: 'name'; nullable: boolean }
  | { kind: 'colour' }
  | { kind: 'faces' };

/** One entry of the table. */
export interface Setting<T> {
  values: SettingValues;
  /** The value of a new session, where config.yaml does not set another one. */
  default: T;
  /** The key of config.yaml that sets the default; null if no key does. */
  configKey: `${string}.${string}` | null;
  /**
   * `saved`: the page saves it in presets. `accepted`: a preset may hold it, the page does not save it.
   * `never`: a preset with it is refused.
   */
  preset: 'saved' | 'accepted' | 'never';
  /** True if the browser keeps it for the next visit. */
  remembered: boolean;
}

/** Longest id of a face and name of an engine, in characters. */
export const NAME_LENGTH = 64;

const flag = (entry: Omit<Setting<boolean>, 'values'>): Setting<boolean> => ({ values: { kind: 'flag' }, ...entry });
const share = (entry: Omit<Setting<number>, 'values'>): Setting<number> => ({ values: { kind: 'share' }, ...entry });
const option = <const T extends string>(
  options: readonly [T, ...T[]],
  entry: Omit<Setting<NoInfer<T>>, 'values'>,
): Setting<T> => ({ values: { kind: 'option', options }, ...entry });

/** The table. Its order is the order in which error sentences and documents list the settings. */
export const SETTINGS = {
  /** Whether anything is swapped; false shows the camera as it is and keeps all other settings. */
  on: flag({ default: true, configKey: null, preset: 'accepted', remembered: false }),
  /** Whether viewers see a card in place of the picture, and hear nothing; the publisher's own page still sees itself. */
  offAir: flag({ default: false, configKey: null, preset: 'accepted', remembered: false }),
  /** Id of the source face; null shows the camera as it is. */
  face: {
    values: { kind: 'name', nullable: true },
    default: 'astronaut',
    configKey: 'swap.face',
    preset: 'saved',
    remembered: true,
  } as Setting<string | null>,
  /** How swaps are made: `mesh`, the name of a generator that was added, or `none`. */
  engine: {
    values: { kind: 'name', nullable: false },
    default: MESH,
    configKey: 'swap.engine',
    preset: 'saved',
    remembered: false,
  } as Setting<string>,
  /** Which faces of a frame are swapped. */
  choice: option(FACE_CHOICES, { default: 'all', configKey: 'swap.choice', preset: 'saved', remembered: true }),
  /** Source face of each person, by track id, valid for one session; used when `choice` is `mapped`. */
  map: {
    values: { kind: 'faces' },
    default: {},
    configKey: null,
    preset: 'never',
    remembered: false,
  } as Setting<Record<number, string | null>>,
  /** How much of the source is shown, 0..1. */
  strength: share({ default: 1, configKey: 'swap.strength', preset: 'saved', remembered: true }),
  /** How far the live face takes the shape of the source's, 0..1. */
  shape: share({ default: 0.8, configKey: 'swap.shape', preset: 'saved', remembered: true }),
  /** Whether the live person's eyes, with lids and brows, stay as they are; mesh engine only. */
  keepEyes: flag({ default: false, configKey: 'swap.keepEyes', preset: 'saved', remembered: true }),
  /** Whether the live person's mouth, with lips, stays as it is; mesh engine only. */
  keepMouth: flag({ default: false, configKey: 'swap.keepMouth', preset: 'saved', remembered: true }),
  /** What is shown when a swap was wanted and cannot be made. */
  fallback: option(FALLBACKS, {
    default: 'passthrough',
    configKey: 'pipeline.fallback',
    preset: 'saved',
    remembered: true,
  }),
  /**
   * Never shows the real face: a frame with a face that could not be swapped, or in which no face was found, is blurred
   * or left out, whatever else is set; every face is swapped, at full strength.
   */
  guarded: flag({ default: false, configKey: 'pipeline.guarded', preset: 'saved', remembered: true }),
  /** Which part of the camera's picture is shown, enlarged to the picture's size. */
  framing: option(FRAMINGS, { default: 'whole', configKey: null, preset: 'saved', remembered: true }),
  /** How far that part is enlarged, from 0 (not) to 1 (twice); `face` enlarges so far at most. */
  zoom: share({ default: 0.5, configKey: null, preset: 'saved', remembered: true }),
  /**
   * How much later the publisher's sound is played than measurements have it, in milliseconds; negative: earlier, for sound
   * that takes long to reach the browser, as from a radio microphone or a voice changer.
   */
  soundOffsetMs: {
    values: { kind: 'whole', least: -300, most: 800 },
    default: 0,
    configKey: null,
    preset: 'accepted',
    remembered: false,
  } as Setting<number>,
  /** What is shown behind people, whether faces are swapped or not. */
  background: option(BACKGROUNDS, {
    default: 'none',
    configKey: 'background.choice',
    preset: 'saved',
    remembered: true,
  }),
  /** The colour where `background` is `colour`, #rrggbb. */
  backgroundColour: {
    values: { kind: 'colour' },
    default: KEY_COLOUR,
    configKey: 'background.colour',
    preset: 'saved',
    remembered: true,
  } as Setting<string>,
  /** Id of the picture where `background` is `picture`; null, and one that is being read, shows `strong-blur`. */
  backgroundPicture: {
    values: { kind: 'name', nullable: true },
    default: null,
    configKey: 'background.picture',
    preset: 'saved',
    remembered: true,
  } as Setting<string | null>,
  /**
   * Whether modified pictures carry the visible mark where others see them. Off for one session at a time, and only once
   * its person has acknowledged what the law asks: neither presets nor the browser keep that.
   */
  badge: flag({ default: true, configKey: 'disclosure.badge', preset: 'never', remembered: false }),
};

/** The settings of a session, all of them: what a person can change while it is live. */
export type SwapSettings = {
  [K in keyof typeof SETTINGS]: (typeof SETTINGS)[K] extends Setting<infer T> ? T : never;
};

/** The name of a setting. */
export type SettingKey = keyof SwapSettings;

/** A change of settings, as REST, WebSocket and presets give it: what is absent stays as it is. */
export type SettingsPatch = Partial<SwapSettings>;

/** Settings a preset may hold: not `map`, whose track ids are valid for one session, and not `badge`. */
export type PresetSettings = Omit<SettingsPatch, 'map' | 'badge'>;

/** The names of all settings, in the table's order. */
export const SETTING_KEYS = Object.keys(SETTINGS) as SettingKey[];

/** The names of the settings whose type is T. */
export type KeyOfType<T> = {
  [K in SettingKey]: [SwapSettings[K], T] extends [T, SwapSettings[K]] ? K : never;
}[SettingKey];

/** The name of a setting that is a share. */
export type ShareKey = Exclude<KeyOfType<number>, 'soundOffsetMs'>;

/** The settings that are a share, 0..1. */
export const SHARE_KEYS = SETTING_KEYS.filter((key) => SETTINGS[key].values.kind === 'share') as ShareKey[];

/** The settings that are on or off. */
export const FLAG_KEYS = SETTING_KEYS.filter((key) => SETTINGS[key].values.kind === 'flag') as KeyOfType<boolean>[];

/** The table's default of every setting. */
export const DEFAULT_SETTINGS = Object.freeze(
  Object.fromEntries(SETTING_KEYS.map((key) => [key, SETTINGS[key].default])),
) as Readonly<SwapSettings>;

/** The settings of the given keys alone. */
export const pickSettings = <K extends SettingKey>(settings: SwapSettings, keys: readonly K[]): Pick<SwapSettings, K> =>
  Object.fromEntries(keys.map((key) => [key, settings[key]])) as Pick<SwapSettings, K>;

/** True if a value may stand for a setting; for readers without zod, such as the pages. `faces` is not looked into. */
export function isSettingValue(key: SettingKey, value: unknown): boolean {
  const { values } = SETTINGS[key];
  switch (values.kind) {
    case 'flag': {
      return typeof value === 'boolean';
    }
    case 'share': {
      return typeof value === 'number' && value >= 0 && value <= 1;
    }
    case 'whole': {
      return Number.isInteger(value) && (value as number) >= values.least && (value as number) <= values.most;
    }
    case 'option': {
      return typeof value === 'string' && values.options.includes(value);
    }
    case 'name': {
      if (value === null) return values.nullable;
      return typeof value === 'string' && value.length > 0 && value.length <= NAME_LENGTH;
    }
    case 'colour': {
      return typeof value === 'string' && COLOUR.test(value);
    }
    case 'faces': {
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    }
  }
}

/** True if the settings name this face, for all people or for one. */
export const wearsFace = ({ face, map }: SwapSettings, id: string): boolean =>
  face === id || Object.values(map).includes(id);

/** True if any face is to be swapped, so that what goes out counts as modified. */
export function wantsSwap({ on, face, engine, choice, map }: SwapSettings): boolean {
  if (!on || engine === NONE) return false;
  return face !== null || (choice === 'mapped' && Object.values(map).some((id) => id !== null));
}
