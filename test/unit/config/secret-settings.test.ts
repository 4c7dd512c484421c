import { expect, test } from 'vitest';
import { HIDDEN, isSecretSetting, secretsIn, withoutSecrets } from '../../../src/config/secret-settings.ts';
import { defaultConfig } from '../../../src/config.ts';

/** A configuration with every kind of secret, each of which holds the word `hush`. */
const configured = {
  ...defaultConfig(),
  server: { ...defaultConfig().server, token: 'hush-hush-hush-hush', names: ['faces.example'] },
  webrtc: {
    ...defaultConfig().webrtc,
    iceServers: [
      { urls: ['turn:turn.example:3478'], username: 'hush', credential: 'hush' },
      { urls: ['turn:turn.example:3478'], secret: 'hush' },
    ],
  },
  hooks: {
    secret: 'whsec_hush',
    webhooks: [
      { url: 'https://user:hush@chat.example/services/hush?key=hush', events: ['fault'], secret: 'whsec_hush' },
      { url: 'http://127.0.0.1:9000', events: ['fault'] },
    ],
    commands: [{ run: ['/usr/bin/curl', '--header', 'Authorization: Bearer hush'], events: ['fault'] }],
  },
};

test('no secret of a configuration is shown, and every other setting is', () => {
  const before = structuredClone(configured);
  const shown = withoutSecrets(configured);
  expect(JSON.stringify(shown)).not.toContain('hush');
  expect(configured).toEqual(before);
  expect(shown).toEqual({
    ...configured,
    server: { ...configured.server, token: HIDDEN },
    webrtc: {
      ...configured.webrtc,
      iceServers: [
        { urls: ['turn:turn.example:3478'], username: HIDDEN, credential: HIDDEN },
        { urls: ['turn:turn.example:3478'], secret: HIDDEN },
      ],
    },
    hooks: {
      secret: HIDDEN,
      webhooks: [
        { url: `https://chat.example/${HIDDEN}`, events: ['fault'], secret: HIDDEN },
        { url: 'http://127.0.0.1:9000', events: ['fault'] },
      ],
      commands: [{ run: ['/usr/bin/curl', HIDDEN, HIDDEN], events: ['fault'] }],
    },
  });
});

test('the secrets of a configuration are all found, and nothing besides', () => {
  expect(secretsIn(configured)).toEqual([
    'hush-hush-hush-hush',
    'hush',
    'hush',
    'hush',
    'whsec_hush',
    'https://user:hush@chat.example/services/hush?key=hush',
    'whsec_hush',
    'http://127.0.0.1:9000',
    '--header',
    'Authorization: Bearer hush',
  ]);
});

test('a secret that is not set is shown as such', () => {
  expect(withoutSecrets(defaultConfig())).toEqual(defaultConfig());
});

test.each([
  ['server.token', true],
  ['webrtc.iceServers.0.credential', true],
  ['hooks.webhooks.3.url', true],
  ['hooks.commands.0.run.2', true],
  ['hooks.secret', true],
  ['limits.wrongTokens', false],
  ['server.key', false],
  ['webrtc.iceServers.0.urls', false],
])('whether %s is a secret: %s', (path, isSecret) => {
  expect(isSecretSetting(path)).toBe(isSecret);
});
