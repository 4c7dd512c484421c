/** MIDI messages and what they do in the studio. Free of the DOM, for tests. */

import { type SettingsPatch, SHARE_KEYS, type SwapSettings } from '../../../shared/settings.ts';
import { SWITCHES, toggled } from '../../../shared/steps.ts';
import { t } from '../../language/translate.ts';

/** What a knob or a key can be given to do. */
export const MIDI_ACTIONS = [...SHARE_KEYS, ...SWITCHES, 'previous', 'next'] as const;
/** One of MIDI_ACTIONS. */
export type MidiAction = (typeof MIDI_ACTIONS)[number];

/** A knob, fader or key: `cc-CHANNEL-NUMBER` or `note-CHANNEL-NUMBER`. */
export type MidiControl = string;

/** Which action each control does. */
export type MidiMap = Readonly<Record<MidiControl, MidiAction>>;

/** A message that a control sends. */
export interface MidiInput {
  control: MidiControl;
  /** 0..1: a knob's place, or how hard a key is pressed; 0 where it is let go. */
  value: number;
}

/** Reads a message of Web MIDI: control changes and notes; null for all others. */
export function midiInput(data: ArrayLike<number>): MidiInput | null {
  const [status = 0, number = 0, value = 0] = Array.from(data);
  const channel = (status & 15) + 1;
  switch (status & 0xf0) {
    case 0xb0:
      return { control: `cc-${channel}-${number}`, value: value / 127 };
    case 0x90:
      return { control: `note-${channel}-${number}`, value: value / 127 };
    case 0x80:
      return { control: `note-${channel}-${number}`, value: 0 };
    default:
      return null;
  }
}

/** What an input does: a change of settings, or a step to another face; null for nothing. */
export function midiChange(
  action: MidiAction,
  value: number,
  settings: SwapSettings,
): { patch: SettingsPatch } | { step: 1 | -1 } | null {
  const share = SHARE_KEYS.find((key) => key === action);
  if (share !== undefined) return { patch: { [share]: Math.round(value * 100) / 100 } };
  // A button sends a large value when it is pressed.
  if (value < 0.5) return null;
  const name = SWITCHES.find((one) => one === action);
  if (name !== undefined) return { patch: toggled(settings, name) };
  return { step: action === 'next' ? 1 : -1 };
}

/** The map with a control given to an action, which then has no other. */
export function learned(map: MidiMap, control: MidiControl, action: MidiAction): MidiMap {
  const others = Object.entries(map).filter(([, its]) => its !== action);
  return { ...Object.fromEntries(others), [control]: action };
}

/** Reads back what was kept; what does not fit is left out. */
export function midiMapFrom(kept: unknown): MidiMap {
  if (typeof kept !== 'object' || kept === null) return {};
  const fits = ([control, action]: [string, unknown]): boolean =>
    /^(cc|note)-\d{1,2}-\d{1,3}$/.test(control) && MIDI_ACTIONS.some((one) => one === action);
  return Object.fromEntries(Object.entries(kept).filter(fits)) as MidiMap;
}

/** A control in words. */
export function controlText(control: MidiControl): string {
  const [kind, channel, number] = control.split('-');
  const values = { number: number ?? '', channel: channel ?? '' };
  return kind === 'cc'
    ? t('knob {{number}}, channel {{channel}}', values)
    : t('key {{number}}, channel {{channel}}', values);
}
