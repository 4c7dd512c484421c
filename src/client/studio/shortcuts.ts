/** The keys of the studio. Free of the DOM, for tests. */

import { t } from '../language/translate.ts';

/** What a key does. */
export type ShortcutAction = 'on' | 'next' | 'previous' | 'keepEyes' | 'keepMouth' | 'offAir' | 'help' | 'preset';

/** One line in the list of keys. */
export interface Shortcut {
  does: ShortcutAction;
  /** Values of `KeyboardEvent.key`, letters in lower case. */
  keys: readonly string[];
  /** The keys as the list shows them. */
  shown: readonly string[];
  label: string;
}

/** All shortcuts, in the order of the list. */
export const SHORTCUTS: readonly Shortcut[] = [
  { does: 'on', keys: ['p', ' '], shown: ['P', t('Space')], label: t('Swap on or off') },
  { does: 'offAir', keys: ['o'], shown: ['O'], label: t('Off air: others see a card') },
  { does: 'next', keys: ['arrowright', ']'], shown: ['→', ']'], label: t('Next face') },
  { does: 'previous', keys: ['arrowleft', '['], shown: ['←', '['], label: t('Previous face') },
  { does: 'preset', keys: [...'123456789'], shown: ['1', '… 9'], label: t('Preset') },
  { does: 'keepEyes', keys: ['e'], shown: ['E'], label: t('Keep my eyes') },
  { does: 'keepMouth', keys: ['m'], shown: ['M'], label: t('Keep my mouth') },
  { does: 'help', keys: ['?'], shown: ['?'], label: t('This list') },
];

/** The fields used here of a KeyboardEvent. */
export interface Pressed {
  key: string;
  ctrlKey: boolean;
  altKey: boolean;
  metaKey: boolean;
  repeat: boolean;
}

/** What a key does; null for keys without a shortcut, with a modifier, or held down. */
export function actionOf({ key, ctrlKey, altKey, metaKey, repeat }: Pressed): ShortcutAction | null {
  if (ctrlKey || altKey || metaKey || repeat) return null;
  return SHORTCUTS.find(({ keys }) => keys.includes(key.toLowerCase()))?.does ?? null;
}

/** The focused element. */
export interface Focused {
  /** `input` with its type, `select`, `textarea`, `button`, `a`, `summary`; a slider is an `input range`. */
  kind: string;
}

const ARROWS = /^Arrow/;
/** Elements that use some keys, but not all as a text field does. */
const OPERABLE = /^(button|a|summary|input (checkbox|radio|range|file))$/;

/**
 * Whether the focused element uses a key itself: text fields use all keys, buttons Space and Enter, sliders the arrows.
 */
export function isTaken(key: string, { kind }: Focused): boolean {
  if (kind === 'other') return false;
  if (!OPERABLE.test(kind)) return true;
  return key === ' ' || key === 'Enter' || (ARROWS.test(key) && /radio|range/.test(kind));
}
