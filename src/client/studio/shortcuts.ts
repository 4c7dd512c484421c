/** Which key does what. No DOM, so it is tested as it is. */

export type ShortcutAction = 'on' | 'next' | 'previous' | 'keepEyes' | 'keepMouth' | 'help' | 'preset';

export interface Shortcut {
  does: ShortcutAction;
  /** As `KeyboardEvent.key` names them, letters small. */
  keys: readonly string[];
  /** As people know them. */
  shown: readonly string[];
  label: string;
}

export const SHORTCUTS: readonly Shortcut[] = [
  { does: 'on', keys: ['p', ' '], shown: ['P', 'Space'], label: 'Swap on or off' },
  { does: 'next', keys: ['arrowright', ']'], shown: ['→', ']'], label: 'Next face' },
  { does: 'previous', keys: ['arrowleft', '['], shown: ['←', '['], label: 'Face before' },
  { does: 'preset', keys: [...'123456789'], shown: ['1', '… 9'], label: 'Preset' },
  { does: 'keepEyes', keys: ['e'], shown: ['E'], label: 'Leave my eyes' },
  { does: 'keepMouth', keys: ['m'], shown: ['M'], label: 'Leave my mouth' },
  { does: 'help', keys: ['?'], shown: ['?'], label: 'This list' },
];

export interface Pressed {
  key: string;
  ctrlKey: boolean;
  altKey: boolean;
  metaKey: boolean;
  repeat: boolean;
}

/** What a key does; null for one that belongs to the browser, or is held down. */
export function actionOf({ key, ctrlKey, altKey, metaKey, repeat }: Pressed): ShortcutAction | null {
  if (ctrlKey || altKey || metaKey || repeat) return null;
  return SHORTCUTS.find(({ keys }) => keys.includes(key.toLowerCase()))?.does ?? null;
}

/** What has the focus, as far as keys go. */
export interface Focused {
  /** `input` with its type, `select`, `textarea`, `button`, `a`, `summary`; a slider is an `input range`. */
  kind: string;
}

const ARROWS = /^Arrow/;
const WORKED = /^(button|a|summary|input (checkbox|radio|range|file))$/;

/** Whether the focused element has a use of its own for a key: a field all of them, a button the space, a slider arrows. */
export function isTaken(key: string, { kind }: Focused): boolean {
  if (kind === 'other') return false;
  if (!WORKED.test(kind)) return true;
  return key === ' ' || key === 'Enter' || (ARROWS.test(key) && /radio|range/.test(kind));
}
