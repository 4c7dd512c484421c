/** `faceoff service` on a machine in a temporary folder, whose systemctl is noted down; units by systemd's own checker. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  installService,
  type ServiceHost,
  serviceStatus,
  uninstallService,
} from '../../../src/commands/service/service.ts';
import { systemConfig, unitOf } from '../../../src/commands/service/systemd-unit.ts';
import { loadConfig } from '../../../src/config.ts';
import { root } from '../../../src/lib/package-root.ts';

let base: string;
let calls: string[];
let lines: string[];

const host = (more: Partial<ServiceHost> = {}): ServiceHost => ({
  platform: 'linux',
  base,
  isRoot: true,
  home: path.join(base, 'home/ada'),
  isPackage: false,
  node: '/usr/bin/node',
  root: '/opt/faceoff',
  defaultConfig: path.join(base, 'home/ada/faceoff/config.yaml'),
  env: {},
  systemctl: (args) => {
    calls.push(args.join(' '));
    return 0;
  },
  print: (line) => lines.push(line),
  ...more,
});
const person = (more: Partial<ServiceHost> = {}): ServiceHost => host({ isRoot: false, ...more });
const unit = (): string => path.join(base, 'etc/systemd/system/faceoff.service');
const userUnit = (): string => path.join(base, 'home/ada/.config/systemd/user/faceoff.service');
const config = (): string => path.join(base, 'etc/faceoff/config.yaml');

beforeEach(() => {
  base = mkdtempSync(path.join(os.tmpdir(), 'faceoff-service-'));
  mkdirSync(path.join(base, 'run/systemd/system'), { recursive: true });
  mkdirSync(path.join(base, 'etc'));
  calls = [];
  lines = [];
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

describe('a service of the machine', () => {
  test('is written with its settings, enabled and started, and the way back is said', async () => {
    await installService({}, host());
    const text = readFileSync(unit(), 'utf8');
    expect(text).toContain(`ExecStart=/usr/bin/node /opt/faceoff/dist/main.js serve --config ${config()}\n`);
    expect(text).toContain('\nDynamicUser=yes\nUser=faceoff\n');
    expect(statSync(unit()).mode & 0o777).toBe(0o644);
    const { storage, models, recording, logging } = loadConfig({ file: config(), isRequired: true });
    expect([storage.dir, recording.dir, models.dir, models.cacheDir, logging.dir]).toEqual([
      '/var/lib/faceoff/data',
      '/var/lib/faceoff/recordings',
      '/opt/faceoff/models',
      '/var/cache/faceoff',
      '/var/log/faceoff',
    ]);
    expect(calls).toEqual(['daemon-reload', 'enable faceoff.service', 'restart faceoff.service']);
    expect(lines.join('\n')).toContain('To undo: faceoff service uninstall');
  });

  test('that is installed again keeps settings and takes a new program', async () => {
    await installService({}, host());
    writeFileSync(config(), 'server: { port: 9000 }\n');
    await installService({}, host({ root: '/opt/faceoff-2' }));
    expect(readFileSync(config(), 'utf8')).toBe('server: { port: 9000 }\n');
    expect(readFileSync(unit(), 'utf8')).toContain('/opt/faceoff-2/dist/main.js');
  });

  test('gets the groups of graphics cards that the machine has, and no other', async () => {
    writeFileSync(path.join(base, 'etc/group'), 'root:x:0:\nrender:x:106:\n');
    await installService({}, host());
    expect(readFileSync(unit(), 'utf8').match(/^SupplementaryGroups=.*$/gm)).toEqual(['SupplementaryGroups=render']);
  });

  test('of a package adds models where it may write', async () => {
    await installService({}, host({ isPackage: true }));
    expect(loadConfig({ file: config() }).models.dir).toBe('/var/lib/faceoff/models');
  });

  test('does not replace or remove a unit of others', async () => {
    mkdirSync(path.dirname(unit()), { recursive: true });
    writeFileSync(unit(), '[Service]\nExecStart=/bin/true\n');
    await expect(installService({}, host())).rejects.toMatchObject({ code: 'foreign_unit' });
    await expect(uninstallService({}, host())).rejects.toMatchObject({ code: 'foreign_unit' });
    expect(readFileSync(unit(), 'utf8')).toBe('[Service]\nExecStart=/bin/true\n');
    expect(existsSync(config())).toBe(false);
    expect(calls).toEqual([]);
  });

  test.each(['/home/ada/faceoff', '/root/faceoff', '/tmp/faceoff', '/var/tmp/faceoff'])(
    'is refused from %s, which it could not read',
    async (root) => {
      await expect(installService({}, host({ root }))).rejects.toMatchObject({ code: 'bad_place' });
      expect(existsSync(unit())).toBe(false);
    },
  );

  test('is refused with a Node of a home folder', async () => {
    const node = '/root/.nvm/versions/node/v24.0.0/bin/node';
    await expect(installService({}, host({ node }))).rejects.toMatchObject({ code: 'bad_place' });
  });

  test('is for root', async () => {
    await expect(installService({}, person())).rejects.toMatchObject({ code: 'needs_root' });
    await expect(uninstallService({}, person())).rejects.toMatchObject({ code: 'needs_root' });
  });

  test('is stopped and removed, and its data are named and stay', async () => {
    await installService({}, host());
    calls = [];
    lines = [];
    await uninstallService({}, host());
    expect(existsSync(unit())).toBe(false);
    expect(existsSync(config())).toBe(true);
    expect(calls).toEqual(['disable --now faceoff.service', 'daemon-reload']);
    expect(lines.at(-1)).toContain('/var/lib/faceoff');
    await uninstallService({}, host());
    expect(lines.at(-1)).toContain('nothing to remove');
  });

  test('tells of a systemctl that refuses, and of a folder that cannot be written', async () => {
    await expect(installService({}, host({ systemctl: () => 1 }))).rejects.toMatchObject({ code: 'service_failed' });
    await expect(installService({}, host({ systemctl: () => null }))).rejects.toMatchObject({ code: 'service_failed' });
    rmSync(path.join(base, 'etc'), { recursive: true });
    writeFileSync(path.join(base, 'etc'), '');
    await expect(installService({}, host())).rejects.toMatchObject({ code: 'service_failed' });
  });
});

describe('a service of a person', () => {
  test('uses the configuration that the command line has', async () => {
    await installService({ user: true }, person({ root: '/home/ada/faceoff' }));
    const text = readFileSync(userUnit(), 'utf8');
    expect(text).toContain(`/home/ada/faceoff/dist/main.js serve --config ${person().defaultConfig}\n`);
    expect(text).not.toContain('DynamicUser');
    expect(loadConfig({ file: person().defaultConfig, isRequired: true }).server.port).toBe(8080);
    expect(calls).toEqual(['--user daemon-reload', '--user enable faceoff.service', '--user restart faceoff.service']);
  });

  test('is not for root', async () => {
    await expect(installService({ user: true }, host())).rejects.toMatchObject({ code: 'needs_root' });
  });

  test('wants the file that --config names', async () => {
    const there = path.join(base, 'mine.yaml');
    await expect(installService({ user: true, config: there }, person())).rejects.toMatchObject({ code: 'no_input' });
    writeFileSync(there, '');
    await installService({ user: true, config: there }, person());
    expect(readFileSync(userUnit(), 'utf8')).toContain(`--config ${there}\n`);
  });
});

describe('the status', () => {
  test('is 4 where nothing is installed, else that of systemctl', async () => {
    expect(serviceStatus({}, host())).toBe(4);
    await installService({}, host());
    calls = [];
    expect(serviceStatus({}, host({ systemctl: () => 3 }))).toBe(3);
    expect(serviceStatus({}, host())).toBe(0);
    expect(calls).toEqual(['--no-pager status faceoff.service']);
  });

  test('tells of a unit of another installation', async () => {
    await installService({}, host());
    serviceStatus({}, host({ root: '/opt/other' }));
    expect(lines.at(-1)).toContain('another installation');
  });
});

test.each([
  ['macOS', { platform: 'darwin' as const }],
  ['a machine without systemd', { base: path.join(os.tmpdir(), 'faceoff-no-such-root') }],
])('%s is told what there is instead', async (_name, more) => {
  await expect(installService({}, host(more))).rejects.toMatchObject({ code: 'no_systemd' });
});

test('--print shows the unit and changes nothing', async () => {
  await installService({ print: true }, host({ isRoot: false, platform: 'darwin' }));
  expect(lines.join('\n')).toContain('[Install]');
  expect([existsSync(unit()), calls]).toEqual([false, []]);
});

test('the unit in ops/systemd is what the command writes', () => {
  const read = (name: string): string => readFileSync(path.join(root, 'ops/systemd', name), 'utf8');
  const cardGroups = ['render', 'video'];
  const program = '/opt/faceoff/dist/main.js';
  const plan = { node: '/usr/bin/node', program, config: '/etc/faceoff/config.yaml', isSystemWide: true, cardGroups };
  expect(read('faceoff.service')).toBe(unitOf(plan));
  expect(read('config.yaml')).toBe(systemConfig('/opt/faceoff/config.yaml', '/opt/faceoff/models'));
});

const analyze = (args: string[]) =>
  spawnSync('systemd-analyze', args, { encoding: 'utf8', env: { ...process.env, XDG_RUNTIME_DIR: base } });
const version = Number(
  /systemd (\d+)/.exec(spawnSync('systemd-analyze', ['--version'], { encoding: 'utf8' }).stdout ?? '')?.[1] ?? 0,
);
const why = version >= 250 ? '' : ' (skipped: no systemd-analyze 250 or later)';

describe.skipIf(why !== '')(`systemd-analyze${why}`, () => {
  /** A unit whose program exists here, under a name that has to be quoted. */
  const written = (isSystemWide: boolean): string => {
    const folder = path.join(base, 'a b 50% $HOME');
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, 'node'), '#!/bin/sh\n', { mode: 0o755 });
    const [node, program, config] = ['node', 'main.js', 'config.yaml'].map((name) => path.join(folder, name));
    const file = path.join(base, 'faceoff.service');
    writeFileSync(file, unitOf({ node: node!, program: program!, config: config!, isSystemWide, cardGroups: [] }));
    return file;
  };

  test.each([true, false])('verify finds nothing wrong (of the machine: %s)', (isSystemWide) => {
    const file = written(isSystemWide);
    const verify = [...(isSystemWide ? [] : ['--user']), 'verify', file];
    const good = analyze(verify);
    expect([good.status, good.stderr]).toEqual([0, '']);
    writeFileSync(file, readFileSync(file, 'utf8').replace('KillMode=mixed', 'KillMood=mixed'));
    expect(analyze(verify).stderr).toContain('KillMood');
  });

  test('security finds the exposure of the machine’s service below 2.5 of 10', () => {
    const { status, stdout } = analyze(['security', '--offline=true', '--threshold=25', written(true)]);
    expect([status, stdout.trimEnd().split('\n').at(-1)]).toEqual([0, expect.stringContaining('Overall exposure')]);
  });
});
