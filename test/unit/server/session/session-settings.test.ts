import { expect, test } from 'vitest';
import { presetFrom, settingsFrom } from '../../../../src/server/session/session-settings.ts';

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
