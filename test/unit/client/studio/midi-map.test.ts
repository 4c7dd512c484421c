import { expect, test } from 'vitest';
import {
  learned,
  MIDI_ACTIONS,
  midiChange,
  midiInput,
  midiMapFrom,
} from '../../../../src/client/studio/midi/midi-map.ts';
import { DEFAULT_SETTINGS } from '../../../../src/shared/settings.ts';

test.each<[string, number[], ReturnType<typeof midiInput>]>([
  ['a knob on channel 3', [0xb2, 21, 127], { control: 'cc-3-21', value: 1 }],
  ['a key that is pressed', [0x90, 60, 64], { control: 'note-1-60', value: 64 / 127 }],
  ['a key that is let go', [0x80, 60, 64], { control: 'note-1-60', value: 0 }],
  ['the clock', [0xf8], null],
  ['a pitch bend', [0xe0, 0, 64], null],
  ['nothing', [], null],
])('%s is read', (_what, data, wanted) => {
  expect(midiInput(data)).toEqual(wanted);
});

test('knobs set shares, buttons flip switches and step when they are pressed, not when they are let go', () => {
  expect(midiChange('strength', 0.5, DEFAULT_SETTINGS)).toEqual({ patch: { strength: 0.5 } });
  expect(midiChange('shape', 0, DEFAULT_SETTINGS)).toEqual({ patch: { shape: 0 } });
  expect(midiChange('offAir', 1, DEFAULT_SETTINGS)).toEqual({ patch: { offAir: true } });
  expect(midiChange('on', 1, DEFAULT_SETTINGS)).toEqual({ patch: { on: false } });
  expect(midiChange('on', 0, DEFAULT_SETTINGS)).toBeNull();
  expect(midiChange('next', 1, DEFAULT_SETTINGS)).toEqual({ step: 1 });
  expect(midiChange('previous', 1, DEFAULT_SETTINGS)).toEqual({ step: -1 });
  for (const action of MIDI_ACTIONS) expect(midiChange(action, 1, DEFAULT_SETTINGS)).not.toBeNull();
});

test('a control has one action and an action one control, and what is kept is read back without what does not fit', () => {
  const map = learned(learned({}, 'cc-1-1', 'strength'), 'cc-1-2', 'strength');
  expect(map).toEqual({ 'cc-1-2': 'strength' });
  expect(learned(map, 'cc-1-2', 'shape')).toEqual({ 'cc-1-2': 'shape' });
  expect(midiMapFrom({ 'cc-1-2': 'shape', 'cc-1-3': 'explode', '../x': 'on' })).toEqual({ 'cc-1-2': 'shape' });
  expect(midiMapFrom(null)).toEqual({});
});
