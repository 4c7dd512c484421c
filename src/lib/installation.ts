/** Where FaceOff's configuration is, and with it the folder that relative paths in it start at. */

import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { root } from './package-root.ts';

/** Whether FaceOff runs as an installed package, whose folder belongs to npm, and not from a checkout. */
export const isPackage: boolean = root.split(path.sep).includes('node_modules');

/** What the choice of a configuration file depends on; for tests. */
export interface Surroundings {
  isPackage: boolean;
  root: string;
  cwd: string;
  platform: NodeJS.Platform;
  env: Record<string, string | undefined>;
  home: string;
}

/**
 * The person's home folder; the current folder for a user that has none, as under systemd's DynamicUser or in a container
 * that was given a number for a user.
 * @param find for tests.
 */
export function homeFolder(find: () => string = os.homedir): string {
  try {
    return find();
  } catch {
    return process.cwd();
  }
}

const here = (): Surroundings => ({
  isPackage,
  root,
  cwd: process.cwd(),
  platform: process.platform,
  env: process.env,
  home: homeFolder(),
});

/**
 * The configuration file where `--config` names none. A checkout has its own. An installed package takes config.yaml of
 * the current folder, and else that of the person's data folder, so that faces and caches are the same wherever the
 * command is given, and outlive an update. The file need not exist.
 */
export function defaultConfigFile(at: Surroundings = here()): string {
  const local = path.join(at.cwd, 'config.yaml');
  if (!at.isPackage) return path.join(at.root, 'config.yaml');
  return existsSync(local) ? local : path.join(dataFolder(at), 'config.yaml');
}

/** The platform's folder for the data of one person's programs. */
function dataFolder({ platform, env, home }: Surroundings): string {
  if (platform === 'win32') return path.join(env.LOCALAPPDATA ?? path.join(home, 'AppData', 'Local'), 'FaceOff');
  if (platform === 'darwin') return path.join(home, 'Library', 'Application Support', 'FaceOff');
  return path.join(env.XDG_DATA_HOME || path.join(home, '.local', 'share'), 'faceoff');
}

/**
 * The folder of the models that FaceOff comes with: models.dir, or, where an installed package finds no models.yaml
 * there, the package's own. Models that a person adds are in models.dir in either case.
 */
export function shippedModels(dir: string): string {
  return isPackage && !existsSync(path.join(dir, 'models.yaml')) ? path.join(root, 'models') : dir;
}
