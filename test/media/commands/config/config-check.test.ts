import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { root } from '../../../../src/lib/package-root.ts';
import { modelsDir } from '../../../support/lane.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-check-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = path.join(folder, 'config.yaml');
const TOKEN = 'a-token-that-nobody-guesses';
const MODELS = `models:\n  dir: ${JSON.stringify(modelsDir)}\n`;

function check(text: string, args: string[] = [], env: Record<string, string> = {}) {
  writeFileSync(file, text);
  const command = [path.join(root, 'dist/main.js'), 'config', 'check', file, ...args];
  // Variables of the tests' own are none of the program's.
  const { FACEOFF_TEST_CHROMIUM: _, FACEOFF_STORAGE_DIR: __, ...own } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, command, {
    encoding: 'utf8',
    env: { ...own, ...env },
  });
  return { status, stdout, stderr };
}

test('a right file is told with what it sets, from where, and what would need a restart', () => {
  const { status, stdout, stderr } = check(
    `${MODELS}limits:\n  sessions: 4\n  viewers: 3\nserver:\n  port: 9000\n`,
    ['--set', 'swap.shape=0.5'],
    { FACEOFF_SERVER_TOKEN: TOKEN },
  );
  expect([status, stderr]).toEqual([0, '']);
  const rows = stdout.split('\n').map((line) => line.split(/ {2,}/));
  expect(rows).toContainEqual(['server.port', '9000', `${file}:7`, 'needs a restart']);
  expect(rows).toContainEqual(['limits.sessions', '4', `${file}:4`, 'live', 'the default']);
  expect(rows).toContainEqual(['limits.viewers', '3', `${file}:5`, 'live']);
  expect(rows).toContainEqual(['swap.shape', '0.5', '--set', 'live']);
  expect(stdout).toMatch(/^server\.token .* FACEOFF_SERVER_TOKEN +needs a restart$/m);
  expect(stdout).not.toContain(TOKEN);
});

test('a file of comments sets nothing, and is right', () => {
  const { status, stdout } = check('# server:\n#   port: 1\n');
  expect([status, stdout]).toEqual([0, expect.stringContaining('every setting has its default')]);
});

test('everything that is wrong is told at once, each with its place', () => {
  const { status, stdout, stderr } = check('limits:\n  sessions: none\n  viwers: 3\nswap:\n  shape: 9\n');
  expect([status, stdout]).toEqual([1, '']);
  const lines = stderr.trim().split('\n');
  expect(lines.slice(0, 3).sort()).toEqual([
    expect.stringContaining(`${file}:2:3: limits.sessions: `),
    expect.stringContaining(`${file}:3:3: limits.viwers: there is no such setting; did you mean viewers?`),
    expect.stringContaining(`${file}:5:3: swap.shape: `),
  ]);
  expect(lines[3]).toBe('3 errors.');
});

test.each([
  ['broken YAML', 'server:\n  port: [\n', /config\.yaml:\d+:\d+: not valid YAML/],
  ['an unknown model', `${MODELS}swap:\n  engine: no-such-model\n`, /config\.yaml:4: swap\.engine: /],
  ['an unknown face', 'storage:\n  dir: .\nswap:\n  face: nobody\n', /config\.yaml:4: swap\.face: there is no face/],
])('%s is an error', (_what, text, message) => {
  const { status, stderr } = check(text);
  expect(stderr).toMatch(message);
  expect([status, stderr.trim().split('\n').at(-1)]).toEqual([1, '1 error.']);
});

test('what this machine cannot tell is said, and is no error', () => {
  const { status, stdout } = check('models:\n  dir: /nowhere\nstorage:\n  dir: /nowhere\nswap:\n  face: ada\n');
  expect(status).toBe(0);
  expect(stdout).toContain('Names of models were not checked');
  expect(stdout).toContain('swap.face was not checked');
});

test('a file that a person names has to be there', () => {
  const { status, stderr } = spawnSync(
    process.execPath,
    [path.join(root, 'dist/main.js'), 'config', 'check', path.join(folder, 'none.yaml')],
    { encoding: 'utf8' },
  );
  expect([status, stderr]).toEqual([1, expect.stringContaining('there is no such file')]);
});
