/** The swap's settings on the page's side. No DOM, so that unit tests run it in Node. */

import type { FaceInfo, PresetInfo } from '../../shared/messages.ts';
import {
  isSettingValue,
  pickSettings,
  SETTING_KEYS,
  SETTINGS,
  type SettingKey,
  type SettingsPatch,
  type SwapSettings,
} from '../../shared/settings.ts';

/**
 * The settings the page shows against the settings the server has confirmed. The server answers every change with all
 * settings; an answer to an older change must not pull a slider back that has moved on since.
 */
export class OptimisticSettings {
  #shown: SwapSettings;
  #agreed: SwapSettings;
  /** Number of changes that were sent and not yet answered. */
  #unanswered = 0;

  constructor(defaults: SwapSettings) {
    this.#shown = defaults;
    this.#agreed = defaults;
  }

  /** The settings the controls show. */
  get shown(): SwapSettings {
    return this.#shown;
  }

  /** The person changed a control. Returns the settings to show. */
  change(patch: SettingsPatch): SwapSettings {
    this.#shown = { ...this.#shown, ...patch };
    return this.#shown;
  }

  /** A change was sent to the server. */
  sent(): void {
    this.#unanswered++;
  }

  /** The server answered a change of this page with all settings. Returns the settings to show. */
  answered(settings: SwapSettings): SwapSettings {
    this.#agreed = settings;
    this.#unanswered = Math.max(0, this.#unanswered - 1);
    if (this.#unanswered === 0) this.#shown = settings;
    return this.#shown;
  }

  /** The settings were changed elsewhere. Changes of this page that are not answered yet apply after that. */
  told(settings: SwapSettings): SwapSettings {
    this.#agreed = settings;
    if (this.#unanswered === 0) this.#shown = settings;
    return this.#shown;
  }

  /** The server refused a change: the settings confirmed before hold. */
  refused(): SwapSettings {
    return this.answered(this.#agreed);
  }

  /** A new session begins: no change is unanswered, and track ids begin anew. */
  begin(): SwapSettings {
    this.#unanswered = 0;
    this.#shown = { ...this.#shown, map: {} };
    this.#agreed = this.#shown;
    return this.#shown;
  }
}

type Map = SwapSettings['map'];

/** Most entries of `map`; beyond that the oldest are dropped. */
const MOST_MAPPED = 32;

/**
 * Maps track ids that are not in the map yet to the common face, so that a person who walks in, or is lost and found
 * again, does not show their own face unasked. Returns null if all track ids are mapped.
 */
export function adopt(map: Map, people: readonly number[], face: string | null): Map | null {
  const fresh = people.filter((person) => !(person in map));
  if (fresh.length === 0) return null;
  const known = Object.entries(map).slice(-(MOST_MAPPED - fresh.length));
  return Object.fromEntries([...known, ...fresh.map((person) => [person, face] as const)]);
}

/** Ids of the faces that settings may hold: one whose consent is due only while the session that has it is live. */
export const usableFaces = (faces: readonly FaceInfo[], isLive: boolean): string[] =>
  faces.filter(({ consentDue }) => isLive || !consentDue).map(({ id }) => id);

/** The change that takes deleted faces out of the settings, where only the faces `left` remain; null if none is needed. */
export function withoutGone({ face, map }: SwapSettings, left: readonly string[]): SettingsPatch | null {
  const isGone = (id: string | null): boolean => id !== null && !left.includes(id);
  const gone = Object.values(map).some(isGone);
  if (!isGone(face) && !gone) return null;
  const kept = Object.entries(map).map(([person, id]) => [person, isGone(id) ? null : id] as const);
  return { ...(isGone(face) && { face: null }), ...(gone && { map: Object.fromEntries(kept) }) };
}

const SAVED_KEYS = SETTING_KEYS.filter((key) => SETTINGS[key].preset === 'saved');
const REMEMBERED_KEYS = SETTING_KEYS.filter((key) => SETTINGS[key].remembered);

/** The settings the page saves in a preset: all but `map` and `on`, which belong to the moment. */
export const presetOf = (settings: SwapSettings): PresetInfo['settings'] => pickSettings(settings, SAVED_KEYS);

/** The settings this browser keeps for the next visit: all but `map`, `on` and `engine`. */
export const keepable = (settings: SwapSettings): SettingsPatch => pickSettings(settings, REMEMBERED_KEYS);

/** Reads back what `keepable` gave; a value that does not fit is left out, so that an old or broken note does no harm. */
export function restored(kept: unknown, defaults: SwapSettings): SwapSettings {
  if (typeof kept !== 'object' || kept === null) return defaults;
  const fitting = Object.entries(kept).filter(
    ([key, value]) => REMEMBERED_KEYS.includes(key as SettingKey) && isSettingValue(key as SettingKey, value),
  );
  return { ...defaults, ...Object.fromEntries(fitting) };
}
