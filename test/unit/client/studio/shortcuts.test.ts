import { expect, test } from 'vitest';
import { actionOf, isTaken, SHORTCUTS } from '../../../../src/client/studio/shortcuts.ts';

const press = (key: string, more: object = {}) =>
  actionOf({ key, ctrlKey: false, altKey: false, metaKey: false, repeat: false, ...more });

test('each key does what the list says, in capitals too', () => {
  for (const { keys, does } of SHORTCUTS) for (const key of keys) expect(press(key)).toBe(does);
  expect(press('P')).toBe('on');
  expect(press('ArrowRight')).toBe('next');
  const all = SHORTCUTS.flatMap(({ keys }) => keys);
  expect(new Set(all).size).toBe(all.length);
});

test('a key of the browser, and one held down, does nothing', () => {
  for (const more of [{ ctrlKey: true }, { altKey: true }, { metaKey: true }, { repeat: true }])
    expect(press('p', more)).toBeNull();
  expect(press('Tab')).toBeNull();
  expect(press('0')).toBeNull();
});

test.each([
  ['input text', 'p', true],
  ['input search', 'ArrowLeft', true],
  ['textarea', '1', true],
  ['select', 'e', true],
  ['button', ' ', true],
  ['button', 'p', false],
  ['button', 'ArrowLeft', false],
  ['input checkbox', ' ', true],
  ['input checkbox', 'm', false],
  ['input range', 'ArrowLeft', true],
  ['input range', ']', false],
  ['input radio', 'ArrowRight', true],
  ['other', ' ', false],
])('with the focus on %s the key "%s" belongs to it: %s', (kind, key, taken) => {
  expect(isTaken(key, { kind })).toBe(taken);
});
