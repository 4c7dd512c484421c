import { expect, test, vi } from 'vitest';
import { SettingsExchange } from '../../../../src/client/cluster/settings-exchange.ts';
import { DEFAULT_SETTINGS, type SettingsPatch } from '../../../../src/shared/settings.ts';

function exchange(first: SettingsPatch = {}) {
  const told: unknown[] = [];
  const settings = new SettingsExchange(first, {
    send: (wanted) => told.push(['send', wanted]),
    onSent: () => told.push('sent'),
    onSettings: (now, elsewhere) => told.push([elsewhere ? 'elsewhere' : 'answered', now.strength]),
    onRefused: (problem) => told.push(['refused', problem]),
  });
  const heard = (patch: SettingsPatch, problem?: string) =>
    settings.heard(JSON.stringify({ settings: { ...DEFAULT_SETTINGS, ...patch }, problem }));
  return { settings, told, heard };
}

test('a job that has what the token asked for answers it', () => {
  const { told, heard } = exchange({ strength: 0.5 });
  heard({ strength: 0.5 });
  expect(told).toEqual([['answered', 0.5]]);
});

test('a change waits until a job answered the one before, and takes along what came meanwhile', () => {
  const { settings, told, heard } = exchange({ strength: 0.5 });
  settings.change({ strength: 0.6 });
  settings.flush();
  settings.change({ strength: 0.7 });
  settings.flush();
  expect(told).toEqual([]);
  heard({ strength: 0.5 });
  expect(told).toEqual([['answered', 0.5], 'sent', ['send', { strength: 0.7 }]]);
  // An answer to an older change is none to this one.
  heard({ strength: 0.5 });
  expect(told).toHaveLength(3);
  heard({ strength: 0.7 });
  expect(told.at(-1)).toEqual(['answered', 0.7]);
});

test('all that was chosen is sent each time, as a job that takes over reads it alone', () => {
  const { settings, told, heard } = exchange({ face: 'ann' });
  heard({ face: 'ann' });
  settings.change({ keepEyes: true });
  settings.flush();
  expect(told.at(-1)).toEqual(['send', { face: 'ann', keepEyes: true }]);
});

test('a mark that is left off says that its duty is known', () => {
  const { settings, told, heard } = exchange();
  heard({});
  settings.change({ badge: false });
  settings.flush();
  expect(told.at(-1)).toEqual(['send', { badge: false, disclosureAcknowledged: true }]);
});

test('what a job refused is told once, and not asked for again', () => {
  const { settings, told, heard } = exchange();
  heard({});
  settings.change({ face: 'gone' });
  settings.flush();
  heard({}, 'There is no such face.');
  heard({}, 'There is no such face.');
  expect(told.filter((one) => Array.isArray(one) && one[0] === 'refused')).toEqual([
    ['refused', 'There is no such face.'],
  ]);
  settings.change({ strength: 0.2 });
  settings.flush();
  expect(told.at(-1)).toEqual(['send', { ...DEFAULT_SETTINGS, strength: 0.2 }]);
});

test('what a job says unasked was changed elsewhere', () => {
  const { told, heard } = exchange();
  heard({});
  heard({ strength: 0.1 });
  expect(told.at(-1)).toEqual(['elsewhere', 0.1]);
});

test('the next change of a page keeps what was changed elsewhere', () => {
  const { settings, told, heard } = exchange({ strength: 0.5 });
  heard({ strength: 0.5 });
  settings.change({ keepEyes: true });
  heard({ strength: 0.1, face: 'ben' });
  expect(told.at(-1)).toEqual(['send', { ...DEFAULT_SETTINGS, strength: 0.1, face: 'ben', keepEyes: true }]);
});

test('a change whose place another program’s took does not hold up the next', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const { settings, told, heard } = exchange();
  heard({});
  settings.change({ strength: 0.3 });
  settings.flush();
  heard({ face: 'ben' });
  settings.change({ strength: 0.4 });
  settings.flush();
  expect(told.at(-1)).toEqual(['send', { strength: 0.3 }]);
  vi.advanceTimersByTime(4000);
  settings.flush();
  expect(told.at(-1)).toEqual(['send', { strength: 0.4 }]);
  vi.useRealTimers();
});
