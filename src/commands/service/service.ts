/** `faceoff service`: keeps the server running as a systemd service of the machine, or of one person (`--user`). */

import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import { homeFolder, isPackage } from '../../lib/installation.ts';
import { root } from '../../lib/package-root.ts';
import { makeFolder } from '../../lib/system/make-folder.ts';
import { writeWhole } from '../../lib/system/whole-file.ts';
import { FaceOffError, messageOf } from '../../shared/errors.ts';
import { ENVIRONMENT_FILE, systemConfig, UNIT_MARK, UNIT_NAME, unitOf } from './systemd-unit.ts';

interface ServiceOptions {
  user?: boolean;
  print?: boolean;
  config?: string;
}

/** What the command finds on the machine, and its way to systemctl; for tests. */
export interface ServiceHost {
  platform: NodeJS.Platform;
  /** Folder that the file system of the machine begins at; / but in tests. */
  base: string;
  isRoot: boolean;
  home: string;
  /** Whether FaceOff is an installed package, and not a checkout. */
  isPackage: boolean;
  node: string;
  /** Folder of FaceOff's package.json. */
  root: string;
  /** Where `--config` names no file. */
  defaultConfig: string;
  env: Record<string, string | undefined>;
  /** Runs systemctl with the terminal as its output. @returns its exit status; null where it cannot be run. */
  systemctl(args: readonly string[]): number | null;
  print(line: string): void;
}

const hostOf = (defaultConfig: string): ServiceHost => ({
  platform: process.platform,
  base: '/',
  isRoot: process.getuid?.() === 0,
  home: homeFolder(),
  isPackage,
  node: process.execPath,
  root,
  defaultConfig,
  env: process.env,
  systemctl: (args) => spawnSync('systemctl', args, { stdio: 'inherit' }).status,
  print: (line) => console.log(line),
});

/** `faceoff service install`, `uninstall` and `status`. */
export function serviceCommand(defaultConfig: string): Command {
  const host = hostOf(defaultConfig);
  const withUser = (command: Command): Command => command.option('--user', 'a service of yours, not of the machine');
  return new Command('service')
    .description('run the server with the machine, by systemd (Linux)')
    .addCommand(
      withUser(new Command('install').description('write the unit, enable and start it'))
        .option('--config <file>', 'configuration file of the service')
        .option('--print', 'print the unit, and change nothing')
        .action((options: ServiceOptions) => installService(options, host)),
    )
    .addCommand(
      withUser(new Command('uninstall').description('stop the service and delete its unit; data stay')).action(
        (options: ServiceOptions) => uninstallService(options, host),
      ),
    )
    .addCommand(
      withUser(new Command('status').description('whether it is installed and runs')).action(
        (options: ServiceOptions) => {
          process.exitCode = serviceStatus(options, host);
        },
      ),
    );
}

/** Where things of a service are. */
interface Places {
  isSystemWide: boolean;
  unit: string;
  config: string;
  /** Arguments of systemctl that say whose services are meant. */
  whose: readonly string[];
}

function placesOf({ user = false, config }: ServiceOptions, host: ServiceHost): Places {
  const isSystemWide = !user;
  const folder = isSystemWide
    ? path.join(host.base, 'etc/systemd/system')
    : path.join(host.env.XDG_CONFIG_HOME || path.join(host.home, '.config'), 'systemd/user');
  const standard = isSystemWide ? path.join(host.base, 'etc/faceoff/config.yaml') : path.resolve(host.defaultConfig);
  return {
    isSystemWide,
    unit: path.join(folder, `${UNIT_NAME}.service`),
    config: config === undefined ? standard : path.resolve(config),
    whose: isSystemWide ? [] : ['--user'],
  };
}

/**
 * Writes the unit and, where it is missing, the configuration; has systemd enable and start the service.
 * @throws FaceOffError `no_systemd`, `needs_root`, `foreign_unit`, `bad_place`, `no_input`, `service_failed`.
 */
export async function installService(options: ServiceOptions, host: ServiceHost): Promise<void> {
  const places = placesOf(options, host);
  const { isSystemWide, unit, config, whose } = places;
  const user = isSystemWide ? '' : ' --user';
  if (isSystemWide) requireOpenPlace(host);
  const text = unitOf({
    node: host.node,
    program: path.join(host.root, 'dist/main.js'),
    config,
    isSystemWide,
    cardGroups: ['render', 'video'].filter((group) => groupsOf(host.base).has(group)),
  });
  if (options.print === true) return host.print(text.trimEnd());
  requireSystemd(host);
  requireRight(places, host);
  if (isForeign(unit)) throw foreign(unit);
  if (options.config !== undefined && !existsSync(config))
    throw new FaceOffError('no_input', `--config ${options.config}: there is no such file.`);
  const made = await writing(async () => {
    const isNew = !existsSync(config);
    if (isNew) {
      await makeFolder(path.dirname(config));
      await writeWhole(config, isSystemWide ? configOfMachine(host) : configOfPerson(host));
    }
    await makeFolder(path.dirname(unit));
    await writeWhole(unit, text);
    // A strict umask would hide both from the user that the service runs under.
    if (isSystemWide) for (const file of isNew ? [unit, config] : [unit]) chmodSync(file, 0o644);
    return isNew;
  });
  host.print(`${unit} is written.`);
  host.print(made ? `${config} is written: settings of the service.` : `${config} was there and is used as it is.`);
  call(host, [...whose, 'daemon-reload']);
  call(host, [...whose, 'enable', `${UNIT_NAME}.service`]);
  // Restart also takes over what a unit that was there before has changed.
  call(host, [...whose, 'restart', `${UNIT_NAME}.service`]);
  const starts = isSystemWide ? 'the machine' : 'each login';
  host.print(`The service is started, and will be with ${starts}. How it does: faceoff service status${user}`);
  if (isSystemWide)
    host.print(`Faces and recordings: /var/lib/${UNIT_NAME}. Token for other machines: ${ENVIRONMENT_FILE}, mode 600.`);
  else host.print('`loginctl enable-linger` keeps it running without a login, from the start of the machine.');
  host.print(`Its log: journalctl${user} -u ${UNIT_NAME}. To undo: faceoff service uninstall${user}`);
}

/**
 * Stops and disables the service and deletes its unit. Settings and data stay.
 * @throws FaceOffError `no_systemd`, `needs_root`, `foreign_unit`, `service_failed`.
 */
export async function uninstallService(options: ServiceOptions, host: ServiceHost): Promise<void> {
  const places = placesOf(options, host);
  const { isSystemWide, unit, config, whose } = places;
  requireSystemd(host);
  requireRight(places, host);
  if (!existsSync(unit)) return host.print(`There is nothing to remove: no ${unit}.`);
  if (isForeign(unit)) throw foreign(unit);
  call(host, [...whose, 'disable', '--now', `${UNIT_NAME}.service`]);
  await writing(async () => rmSync(unit));
  call(host, [...whose, 'daemon-reload']);
  host.print(`The service is stopped, and ${unit} is deleted.`);
  const folders = ['/var/lib', '/var/cache', '/var/log'].map((folder) => `${folder}/${UNIT_NAME}`);
  if (isSystemWide) host.print(`Left, to be deleted by hand: ${path.dirname(config)}, ${folders.join(', ')}.`);
  else host.print(`Settings and data stay in ${path.dirname(config)}.`);
}

/**
 * Prints whether the service is installed, then what systemd knows of it.
 * @returns the exit status: 4 where it is not installed, else that of `systemctl status` (0 where it runs, 3 where not).
 * @throws FaceOffError `no_systemd`.
 */
export function serviceStatus(options: ServiceOptions, host: ServiceHost): number {
  const { unit, whose, isSystemWide } = placesOf(options, host);
  if (!existsSync(unit)) {
    host.print(`Not installed: no ${unit}. \`faceoff service install${isSystemWide ? '' : ' --user'}\` writes it.`);
    return 4;
  }
  if (isForeign(unit)) host.print(`${unit} was not written by FaceOff.`);
  else if (!readFileSync(unit, 'utf8').includes(path.join(host.root, 'dist/main.js')))
    host.print(`${unit} starts another installation than this one (${host.root}).`);
  requireSystemd(host);
  return host.systemctl([...whose, '--no-pager', 'status', `${UNIT_NAME}.service`]) ?? 1;
}

/** Names of the groups of the machine. */
function groupsOf(base: string): Set<string> {
  const file = path.join(base, 'etc/group');
  if (!existsSync(file)) return new Set();
  const lines = readFileSync(file, 'utf8').split('\n');
  return new Set(lines.map((line) => line.split(':')[0]!));
}

/** The unit hides homes and temporary folders from the service, so nothing that it starts may be there. */
function requireOpenPlace({ node, root }: ServiceHost): void {
  const hidden = [root, node].find((file) => /^\/(home|root|run\/user|tmp|var\/tmp)\//.test(`${file}/`));
  if (hidden === undefined) return;
  throw new FaceOffError(
    'bad_place',
    `${hidden} is in a folder that the service has no access to. Put FaceOff and Node where every user can read them (/opt/faceoff, /usr/bin/node), or install the service for yourself alone: faceoff service install --user`,
  );
}

function requireSystemd({ platform, base }: ServiceHost): void {
  if (platform === 'linux' && existsSync(path.join(base, 'run/systemd/system'))) return;
  throw new FaceOffError(
    'no_systemd',
    'systemd does not run here. `faceoff service install --print` prints the unit; docs/install.md says how to start FaceOff with the machine on macOS, on Windows and in a container.',
  );
}

function requireRight({ isSystemWide }: Places, { isRoot }: ServiceHost): void {
  if (isSystemWide === isRoot) return;
  throw new FaceOffError(
    'needs_root',
    isSystemWide
      ? 'A service of the machine is for root to change: give the command by sudo, or with --user for a service of your own.'
      : 'With --user the service would belong to root: give the command as the person it is for, or without --user.',
  );
}

/** Whether a unit is there that FaceOff did not write. */
const isForeign = (unit: string): boolean => existsSync(unit) && !readFileSync(unit, 'utf8').startsWith(UNIT_MARK);

const foreign = (unit: string): FaceOffError =>
  new FaceOffError(
    'foreign_unit',
    `${unit} was not written by FaceOff and is left as it is. Move it away first, or change it by hand: faceoff service install --print`,
  );

/** A package's models are in the package, and those that are added in the state folder; a checkout has both. */
const configOfMachine = ({ isPackage, root }: ServiceHost): string =>
  systemConfig(path.join(root, 'config.yaml'), isPackage ? `/var/lib/${UNIT_NAME}/models` : path.join(root, 'models'));

const configOfPerson = ({ root }: ServiceHost): string =>
  `# Settings of FaceOff: ${path.join(root, 'config.yaml')} has all of them, with their defaults and meanings.\n`;

/** Runs what writes files. @throws FaceOffError `service_failed`. */
async function writing<T>(work: () => Promise<T>): Promise<T> {
  return work().catch((cause: unknown) => {
    throw new FaceOffError('service_failed', `The service is not installed as asked: ${messageOf(cause)}`, { cause });
  });
}

/** Runs systemctl. @throws FaceOffError `service_failed`. */
function call(host: ServiceHost, args: readonly string[]): void {
  const status = host.systemctl(args);
  if (status === 0) return;
  const why = status === null ? 'cannot be run' : `ended with ${status}`;
  throw new FaceOffError('service_failed', `systemctl ${args.join(' ')} ${why}; its own message stands above.`);
}
