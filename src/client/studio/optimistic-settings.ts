/** The swap's settings on the page's side. No DOM, so it is tested as it is. */

import type { PresetInfo, SwapSettings } from '../../shared/messages.ts';

/**
 * What the person wants against what the server says it does. The server answers every change with all of its settings;
 * an answer to an older change must not pull a slider back that has moved on since.
 */
export class OptimisticSettings {
  #shown: SwapSettings;
  #agreed: SwapSettings;
  /** Changes that were sent and not yet answered. */
  #underWay = 0;

  constructor(defaults: SwapSettings) {
    this.#shown = defaults;
    this.#agreed = defaults;
  }

  get shown(): SwapSettings {
    return this.#shown;
  }

  /** The person changed something. */
  change(patch: Partial<SwapSettings>): SwapSettings {
    this.#shown = { ...this.#shown, ...patch };
    return this.#shown;
  }

  /** A change went out. */
  sent(): void {
    this.#underWay++;
  }

  /** The server said what it does. Returns what is to be shown. */
  answered(settings: SwapSettings): SwapSettings {
    this.#agreed = settings;
    this.#underWay = Math.max(0, this.#underWay - 1);
    if (this.#underWay === 0) this.#shown = settings;
    return this.#shown;
  }

  /** Somebody changed something elsewhere. What is under way from here comes after it. */
  told(settings: SwapSettings): SwapSettings {
    this.#agreed = settings;
    if (this.#underWay === 0) this.#shown = settings;
    return this.#shown;
  }

  /** The server refused a change: what it did before holds. */
  refused(): SwapSettings {
    return this.answered(this.#agreed);
  }

  /** A new session: nothing is under way, and people are counted anew. */
  begin(): SwapSettings {
    this.#underWay = 0;
    this.#shown = { ...this.#shown, map: {} };
    this.#agreed = this.#shown;
    return this.#shown;
  }
}

type Map = SwapSettings['map'];

/** People who came and went are forgotten beyond so many. */
const MOST_PEOPLE = 32;

/**
 * Gives people who have no face of their own yet the common one, so that nobody who walks in, or is lost and found
 * again, shows their own face unasked. Returns null when there is nobody new.
 */
export function adopt(map: Map, people: readonly number[], face: string | null): Map | null {
  const fresh = people.filter((person) => !(person in map));
  if (fresh.length === 0) return null;
  const known = Object.entries(map).slice(-(MOST_PEOPLE - fresh.length));
  return Object.fromEntries([...known, ...fresh.map((person) => [person, face] as const)]);
}

/** What must change when only these faces are left; null when nothing does. */
export function withoutGone({ face, map }: SwapSettings, left: readonly string[]): Partial<SwapSettings> | null {
  const isGone = (id: string | null): boolean => id !== null && !left.includes(id);
  const gone = Object.values(map).some(isGone);
  if (!isGone(face) && !gone) return null;
  const kept = Object.entries(map).map(([person, id]) => [person, isGone(id) ? null : id] as const);
  return { ...(isGone(face) && { face: null }), ...(gone && { map: Object.fromEntries(kept) }) };
}

/** What a preset holds. People are not in it, nor whether the swap is on: that is of the moment. */
export function presetOf({ map: _map, on: _on, ...rest }: SwapSettings): PresetInfo['settings'] {
  return rest;
}

/** What is kept on this machine for the next visit. People are not: their numbers hold for one session. */
export function keepable(settings: SwapSettings): Omit<SwapSettings, 'map' | 'engine' | 'on'> {
  const { face, choice, strength, shape, keepEyes, keepMouth, fallback, guarded, badge } = settings;
  return {
    ...{ face, choice, strength, shape, keepEyes, keepMouth, fallback },
    ...(guarded !== undefined && { guarded }),
    ...(badge !== undefined && { badge }),
  };
}

/** Reads back what was kept; whatever does not fit is left out, so that an old or broken note does no harm. */
export function restored(kept: unknown, defaults: SwapSettings): SwapSettings {
  if (typeof kept !== 'object' || kept === null) return defaults;
  const { face, choice, strength, shape, keepEyes, keepMouth, fallback, guarded, badge } = kept as Record<
    string,
    unknown
  >;
  const isShare = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= 1;
  return {
    ...defaults,
    ...((typeof face === 'string' || face === null) && { face }),
    ...((choice === 'largest' || choice === 'all' || choice === 'mapped') && { choice }),
    ...(isShare(strength) && { strength }),
    ...(isShare(shape) && { shape }),
    ...(typeof keepEyes === 'boolean' && { keepEyes }),
    ...(typeof keepMouth === 'boolean' && { keepMouth }),
    ...(typeof guarded === 'boolean' && { guarded }),
    ...(typeof badge === 'boolean' && { badge }),
    ...((fallback === 'passthrough' || fallback === 'blur' || fallback === 'freeze') && { fallback }),
  };
}
