import { networkOf } from '../../../src/lib/address.ts';
import { checkOrigin } from '../../../src/server/access/origin.ts';
import { presetFrom, settingsFrom } from '../../../src/server/session/session-settings.ts';
import { DEFAULT_SETTINGS, isSettingValue, SETTING_KEYS, type SettingKey } from '../../../src/shared/settings.ts';
import { type Json, mutatedJson } from '../../mutate/mutate-json.ts';
import { mutatedText } from '../../mutate/mutate-text.ts';
import { holds, type Target } from '../../run/target.ts';

/** Settings as pages send them. */
export const SETTINGS_SAMPLES: readonly Json[] = [
  { ...DEFAULT_SETTINGS } as unknown as Json,
  { strength: 0.5, shape: 0.25, face: null },
  { choice: 'mapped', map: { 1: 'astronaut', 2: null } },
  { guarded: true, fallback: 'blur', keepEyes: true },
];
/** Their keys and values, as words. */
export const SETTINGS_WORDS: readonly string[] = [
  ...SETTING_KEYS,
  'astronaut',
  'mesh',
  'none',
  'mapped',
  'all',
  'blur',
];

const HOSTS = [
  '127.0.0.1:8080',
  '[::1]:8080',
  '[fe80::1%25eth0]:1',
  'localhost',
  'https://studio.example:8443',
  '::ffff:192.0.2.1',
  '2001:db8::1',
];

/** Settings of sessions and presets, and the names of hosts in headers. */
export const messageTarget: Target = {
  name: 'settings',
  reads: 'settingsFrom, presetFrom, checkOrigin, networkOf',
  share: 1,
  growthBytes: 16 * 2 ** 20,
  open: async () => ({
    make: (random) =>
      Buffer.from(
        random.chance(0.75)
          ? mutatedJson(SETTINGS_SAMPLES, random, SETTINGS_WORDS)
          : `${mutatedText(HOSTS, random)}\t${mutatedText(HOSTS, random)}`,
      ),
    feed(input) {
      const text = input.toString();
      if (text.includes('\t')) {
        const [host, origin] = text.split('\t');
        networkOf(host!);
        checkOrigin({ host, origin }, { host: '127.0.0.1', names: ['studio.example'] });
        return true;
      }
      let given: unknown;
      try {
        given = JSON.parse(text);
      } catch {
        return false;
      }
      const patch = settingsFrom(given);
      for (const [key, value] of Object.entries(patch))
        holds(isSettingValue(key as SettingKey, value), `${key} may not be ${JSON.stringify(value)}`);
      presetFrom(given);
      return true;
    },
    close: async () => undefined,
  }),
};
