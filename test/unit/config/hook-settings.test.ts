import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { HOOK_EVENTS } from '../../../src/config/hook-settings.ts';
import { loadConfig } from '../../../src/config.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-hook-settings-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const SECRET = `whsec_${Buffer.alloc(24, 1).toString('base64')}`;

function hooksOf(hooks: object, env: Record<string, string> = {}) {
  const file = path.join(folder, 'config.yaml');
  writeFileSync(file, JSON.stringify({ hooks }));
  return loadConfig({ file, env }).hooks;
}

test('a hook is told of every event where it names none', () => {
  const { webhooks, commands } = hooksOf({
    secret: SECRET,
    webhooks: [{ url: 'https://hooks.example/a' }],
    commands: [{ run: ['notify'] }],
  });
  expect([webhooks[0]!.events, commands[0]!.events]).toEqual([HOOK_EVENTS, HOOK_EVENTS]);
});

test('the secret may come from the environment, or be one of the webhook’s own', () => {
  const url = 'https://hooks.example/a';
  expect(hooksOf({ webhooks: [{ url }] }, { FACEOFF_HOOKS_SECRET: SECRET }).secret).toBe(SECRET);
  expect(hooksOf({ webhooks: [{ url, secret: SECRET }] }).webhooks[0]!.secret).toBe(SECRET);
});

test('a program by its name alone is looked for in PATH, one with a slash in the folder of the file', () => {
  const { commands } = hooksOf({ commands: [{ run: ['notify', './x'] }, { run: ['./notify'] }, { run: ['/bin/a'] }] });
  expect(commands.map(({ run }) => run)).toEqual([['notify', './x'], [path.join(folder, 'notify')], ['/bin/a']]);
});

test.each<[string, object, RegExp]>([
  [
    'an address of another kind',
    { secret: SECRET, webhooks: [{ url: 'ftp://a.example' }] },
    /webhooks\.0\.url: must be an http or https address/,
  ],
  [
    'no address',
    { secret: SECRET, webhooks: [{ url: 'a.example/hush' }] },
    /webhooks\.0\.url: must be .*\(not shown\)/,
  ],
  [
    'a password in an address',
    { secret: SECRET, webhooks: [{ url: 'https://a:hush@b.example' }] },
    /url: .*without a user name/,
  ],
  [
    'no secret',
    { webhooks: [{ url: 'https://a.example' }] },
    /webhooks\.0\.secret: must be set, here or .*FACEOFF_HOOKS_SECRET/,
  ],
  ['a secret that is too short', { secret: 'whsec_aHVzaA==' }, /hooks\.secret: must be whsec_ .*\(not shown\)/],
  ['a secret of another form', { secret: 'hush-hush-hush-hush-hush-hush' }, /hooks\.secret: must be whsec_.*openssl/],
  [
    'a command that is no list',
    { commands: [{ run: 'notify hush' }] },
    /commands\.0\.run: must be a list: the program.*\(not shown\)/,
  ],
  ['a command of nothing', { commands: [{ run: [] }] }, /commands\.0\.run: must begin with the program/],
  ['an argument that is no text', { commands: [{ run: ['notify', 1] }] }, /commands\.0\.run\.1: /],
  [
    'an event that there is not',
    { commands: [{ run: ['a'], events: ['stream.gone'] }] },
    /events\.0: must be one of stream\.up, /,
  ],
  ['no event', { commands: [{ run: ['a'], events: [] }] }, /events: must have at least 1 item/],
  ['an unknown key', { commands: [{ run: ['a'], event: ['fault'] }] }, /commands\.0\.event: there is no such setting/],
  ['a mapping for the list', { webhooks: { url: 'https://a.example/hush' } }, /hooks\.webhooks: .*a mapping of url/],
])('%s is refused at the start in a sentence, without what may be secret', (_what, hooks, message) => {
  let refusal: Error | null = null;
  try {
    hooksOf(hooks);
  } catch (error) {
    refusal = error as Error;
  }
  expect(refusal).toMatchObject({ code: 'bad_config', message: expect.stringMatching(message) });
  expect(refusal!.message).not.toContain('hush');
});
