import { expect, test } from 'vitest';
import {
  adopt,
  keepable,
  OptimisticSettings,
  presetOf,
  restored,
  withoutGone,
} from '../../../../src/client/studio/optimistic-settings.ts';
import { swapSettings } from '../../../support/settings.ts';

const defaults = swapSettings({ face: 'a', shape: 0.7 });

test('an answer to an older change does not pull a slider back', () => {
  const agreement = new OptimisticSettings(defaults);
  agreement.change({ strength: 0.5 });
  agreement.sent();
  agreement.change({ strength: 0.2 });
  agreement.sent();
  expect(agreement.answered({ ...defaults, strength: 0.5 }).strength).toBe(0.2);
  expect(agreement.answered({ ...defaults, strength: 0.2 }).strength).toBe(0.2);
});

test('settings that the server sends unasked are shown', () => {
  expect(new OptimisticSettings(defaults).answered({ ...defaults, face: null }).face).toBeNull();
});

test('a change from elsewhere is shown without undoing a pending own change', () => {
  const agreement = new OptimisticSettings(defaults);
  expect(agreement.told({ ...defaults, on: false }).on).toBe(false);
  agreement.change({ strength: 0.5 });
  agreement.sent();
  expect(agreement.told({ ...defaults, face: 'b' }).strength).toBe(0.5);
  expect(agreement.answered({ ...defaults, face: 'b', strength: 0.5 })).toMatchObject({ face: 'b', strength: 0.5 });
});

test('a preset holds looks, not people, transient settings or the mark', () => {
  const { map: _map, on: _on, offAir: _offAir, badge: _badge, soundOffsetMs: _offset, ...looks } = defaults;
  expect(presetOf({ ...defaults, on: false, map: { 1: 'b' } })).toEqual(looks);
});

test('a refused change returns to the confirmed settings', () => {
  const agreement = new OptimisticSettings(defaults);
  agreement.change({ face: 'gone' });
  agreement.sent();
  expect(agreement.refused().face).toBe('a');
});

test("a new session forgets people's ids and keeps everything else", () => {
  const agreement = new OptimisticSettings(defaults);
  agreement.change({ map: { 1: 'b' }, strength: 0.4 });
  agreement.sent();
  expect(agreement.begin()).toEqual({ ...defaults, strength: 0.4 });
  expect(agreement.answered(defaults)).toEqual(defaults);
});

test('new people get the common face, known people keep theirs', () => {
  expect(adopt({ 1: null }, [1, 2], 'a')).toEqual({ 1: null, 2: 'a' });
  expect(adopt({ 1: null }, [1], 'a')).toBeNull();
});

test('a deleted face is removed from every person', () => {
  expect(withoutGone({ ...defaults, map: { 1: 'b', 2: 'a' } }, ['a'])).toEqual({ map: { 1: null, 2: 'a' } });
  expect(withoutGone(defaults, [])).toEqual({ face: null });
  expect(withoutGone({ ...defaults, face: null, map: { 1: null } }, [])).toBeNull();
});

test('the map of people does not grow without end', () => {
  const many = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [i, 'a']));
  const map = adopt(many, [99], 'b')!;
  expect(Object.keys(map)).toHaveLength(32);
  expect(map).toMatchObject({ 39: 'a', 99: 'b' });
});

test('settings come back on the next visit, without people', () => {
  const mine = { ...defaults, face: null, strength: 0.3, map: { 1: 'b' } };
  expect(restored(JSON.parse(JSON.stringify(keepable(mine))), defaults)).toEqual({ ...mine, map: {} });
});

test('malformed stored settings are ignored', () => {
  for (const note of [null, 7, 'x', [], { strength: 9, shape: '1', choice: 'none', fallback: 1, face: 3 }])
    expect(restored(note, defaults)).toEqual(defaults);
});
