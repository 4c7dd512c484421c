import { expect, test } from 'vitest';
import { presetFrom, settingsFrom } from '../../../../src/server/session/session-settings.ts';

test('the mark is left off only by a change that acknowledges the duty to disclose', () => {
  for (const given of [{ badge: false }, { badge: false, disclosureAcknowledged: false }])
    expect(() => settingsFrom(given)).toThrow(
      expect.objectContaining({ code: 'disclosure_not_acknowledged', status: 422 }),
    );
  expect(settingsFrom({ badge: false, disclosureAcknowledged: true })).toEqual({ badge: false });
  expect(settingsFrom({ badge: true })).toEqual({ badge: true });
});

test.each([
  [{ face: { length: { toString: 1 } } }],
  [{ engine: { length: { toString: 1 } } }],
  [{ choice: 'mapped', map: { 1: { length: { toString: 1 } } } }],
  [{ length: { toString: 1 } }],
  [{ face: '' }],
  [{ face: 'x'.repeat(65) }],
])('settings that cannot be used are refused with their names: %j', (given) => {
  for (const read of [settingsFrom, presetFrom])
    expect(() => read(given)).toThrow(expect.objectContaining({ code: 'bad_settings', status: 400 }));
});
