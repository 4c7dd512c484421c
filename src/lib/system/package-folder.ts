/** Folders that hold npm packages which people install on purpose: `node_modules`, and a list that is written last. */

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** The list of packages, which the installation writes last: without it the installation is incomplete. */
export const PACKAGES_MANIFEST = 'manifest.json';

/** Whether the folder holds every package of its list. */
export function hasPackages(folder: string): boolean {
  const list = path.join(folder, PACKAGES_MANIFEST);
  if (!existsSync(list)) return false;
  try {
    const { packages } = JSON.parse(readFileSync(list, 'utf8')) as { packages: string[] };
    return packages.every((name) => existsSync(path.join(folder, 'node_modules', name, 'package.json')));
  } catch {
    return false;
  }
}
