import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import {
  defaultConfigFile,
  homeFolder,
  isPackage,
  type Surroundings,
  shippedModels,
} from '../../../src/lib/installation.ts';
import { root } from '../../../src/lib/package-root.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-installation-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const HOME = path.resolve('/home/anna');
const at = (patch: Partial<Surroundings>): string =>
  defaultConfigFile({ isPackage: true, root, cwd: folder, platform: 'linux', env: {}, home: HOME, ...patch });

test('a checkout has its own configuration, wherever it is started', () => {
  expect(isPackage).toBe(false);
  expect(at({ isPackage: false })).toBe(path.join(root, 'config.yaml'));
  expect(shippedModels(folder)).toBe(folder);
});

test('a package keeps settings and data in the data folder of the person', () => {
  expect(at({})).toBe(path.join(HOME, '.local/share/faceoff/config.yaml'));
  expect(at({ env: { XDG_DATA_HOME: folder } })).toBe(path.join(folder, 'faceoff/config.yaml'));
  expect(at({ platform: 'darwin' })).toBe(path.join(HOME, 'Library/Application Support/FaceOff/config.yaml'));
  expect(at({ platform: 'win32' })).toBe(path.join(HOME, 'AppData/Local/FaceOff/config.yaml'));
  expect(at({ platform: 'win32', env: { LOCALAPPDATA: folder } })).toBe(path.join(folder, 'FaceOff/config.yaml'));
});

test('a config.yaml in the current folder comes first', () => {
  writeFileSync(path.join(folder, 'config.yaml'), '');
  expect(at({})).toBe(path.join(folder, 'config.yaml'));
});

test('a user without a home folder has the current one', () => {
  const find = (): never => {
    throw new Error('ENOENT: no such file or directory, uv_os_homedir');
  };
  expect(homeFolder(find)).toBe(process.cwd());
  expect(homeFolder(() => HOME)).toBe(HOME);
});
