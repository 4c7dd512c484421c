import { expect, test } from 'vitest';
import { defaultConfig } from '../../../../src/config.ts';
import { defaultSettings, modelNames } from '../../../../src/pipeline/pool/lane-options.ts';
import { DEFAULT_SETTINGS } from '../../../../src/shared/settings.ts';

test('a session begins with the settings of the configuration', () => {
  const config = defaultConfig();
  expect(defaultSettings(config)).toEqual(DEFAULT_SETTINGS);
  const { swap, pipeline, disclosure } = config;
  const changed = {
    ...config,
    swap: { ...swap, engine: 'inswapper_128', face: 'mine', strength: 0.4 },
    pipeline: { ...pipeline, fallback: 'blur' as const, guarded: true },
    disclosure: { ...disclosure, badge: false, acknowledged: true },
  };
  expect(defaultSettings(changed)).toEqual({
    ...DEFAULT_SETTINGS,
    engine: 'inswapper_128',
    face: 'mine',
    strength: 0.4,
    fallback: 'blur',
    guarded: true,
    badge: false,
  });
});

test('without the acknowledgement a session begins with the mark', () => {
  const config = defaultConfig();
  const disclosure = { ...config.disclosure, badge: false };
  expect(defaultSettings({ ...config, disclosure }).badge).toBe(true);
});

test('the engine none swaps nothing until a face is chosen, and then by mesh', () => {
  const config = defaultConfig();
  const none = { ...config, swap: { ...config.swap, engine: 'none' } };
  expect(defaultSettings(none)).toMatchObject({ engine: 'mesh', face: null });
  expect(modelNames(none)).toEqual({ engine: 'mesh', mask: null, restorer: null });
});
