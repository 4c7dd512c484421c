import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { defaultConfig } from '../../../src/config.ts';
import { root } from '../../../src/lib/package-root.ts';
import { presetFrom, settingsFrom } from '../../../src/server/session/session-settings.ts';
import {
  DEFAULT_SETTINGS,
  isSettingValue,
  pickSettings,
  SETTING_KEYS,
  SETTINGS,
  type SettingKey,
  wantsSwap,
} from '../../../src/shared/settings.ts';
import { swapSettings } from '../../support/settings.ts';

test('docs/control.md lists the settings of the table, in its order', () => {
  const text = readFileSync(path.join(root, 'docs/control.md'), 'utf8');
  const table = text.slice(text.indexOf('| field | value |'), text.indexOf('A change is answered'));
  const listed = [...table.matchAll(/^\| (`[^|]*`) \|/gm)].flatMap(([, keys]) =>
    [...keys!.matchAll(/`(\w+)`/g)].map(([, key]) => key),
  );
  expect(listed).toEqual(SETTING_KEYS);
});

test('the keys of config.yaml that set a default have the default of the table', () => {
  const config = defaultConfig() as unknown as Record<string, Record<string, unknown>>;
  for (const key of SETTING_KEYS) {
    const { configKey } = SETTINGS[key];
    if (configKey === null) continue;
    const [section, name] = configKey.split('.') as [string, string];
    expect([configKey, config[section]![name]]).toEqual([configKey, SETTINGS[key].default]);
  }
});

test('every default is a value that its setting takes, at the door too', () => {
  for (const key of SETTING_KEYS) expect([key, isSettingValue(key, DEFAULT_SETTINGS[key])]).toEqual([key, true]);
  expect(settingsFrom(DEFAULT_SETTINGS)).toEqual(DEFAULT_SETTINGS);
});

describe('the door and the pages agree', () => {
  const agrees = (key: SettingKey, value: unknown): boolean => {
    try {
      settingsFrom({ [key]: value, disclosureAcknowledged: true });
      return isSettingValue(key, value);
    } catch {
      return !isSettingValue(key, value);
    }
  };
  test.each(SETTING_KEYS.filter((key) => key !== 'map'))('on what %s may be', (key) => {
    const values = [true, false, null, 0, 1, -0.1, 1.1, Number.NaN, '', 'mesh', 'all', 'blur', 'x'.repeat(65), [], {}];
    expect(values.filter((value) => !agrees(key, value))).toEqual([]);
  });
});

test('a preset may hold any setting but the map of people and the mark', () => {
  const keys = SETTING_KEYS.filter((key) => key !== 'map' && key !== 'badge');
  expect(presetFrom(pickSettings(DEFAULT_SETTINGS, keys))).toEqual(pickSettings(DEFAULT_SETTINGS, keys));
  expect(() => presetFrom({ map: {} })).toThrow(/map: cannot be set here/);
  expect(() => presetFrom({ badge: true })).toThrow(/badge: cannot be set here/);
});

test('a swap is wanted while it is on and a face is chosen, or one person has one', () => {
  expect(wantsSwap(swapSettings())).toBe(true);
  expect(wantsSwap(swapSettings({ on: false }))).toBe(false);
  expect(wantsSwap(swapSettings({ engine: 'none' }))).toBe(false);
  expect(wantsSwap(swapSettings({ face: null, map: { 1: 'a' } }))).toBe(false);
  expect(wantsSwap(swapSettings({ face: null, choice: 'mapped', map: { 1: 'a', 2: null } }))).toBe(true);
});
