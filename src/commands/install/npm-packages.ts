/**
 * Installs npm packages that are no dependencies, only on a person's command: downloads them, checks the digests that npm's
 * registry gave for them, and unpacks them into a folder of models.cacheDir. None of their scripts runs.
 */

import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { SingleBar } from 'cli-progress';
import { extract } from 'tar-stream';
import { hasPackages, PACKAGES_MANIFEST } from '../../lib/system/package-folder.ts';
import { download } from '../../pipeline/models/download.ts';

/** An npm package: its name, version, and the digest of its archive. */
export interface NpmArchive {
  name: string;
  version: string;
  integrity: string;
  /** Its folder below `node_modules`; its name where absent. */
  at?: string;
}

/** Which packages to install, and where from. */
export interface PackageSource {
  registry: string;
  archives: readonly NpmArchive[];
}

/** The packages of a feature: those of every platform, and those of each by `platform-arch`. */
export interface ArchiveList {
  common: readonly NpmArchive[];
  platforms: Record<string, readonly NpmArchive[]>;
}

const REGISTRY = process.env.npm_config_registry ?? 'https://registry.npmjs.org/';

/** The packages for this machine, from the registry that npm uses; null where none are published for it. */
export function sourceFor({ common, platforms }: ArchiveList): PackageSource | null {
  const own = platforms[`${process.platform}-${process.arch}`];
  return own === undefined ? null : { registry: REGISTRY, archives: [...common, ...own] };
}

/**
 * Installs the packages into a folder. Idempotent: packages that are there already are not downloaded again.
 * @throws FaceOffError those of `download`; then nothing is installed.
 */
export async function installPackages(folder: string, { registry, archives }: PackageSource): Promise<void> {
  if (hasPackages(folder)) return;
  const above = path.dirname(folder);
  await mkdir(above, { recursive: true });
  const half = await mkdtemp(path.join(above, 'half-'));
  try {
    for (const archive of archives) await installOne(archive, registry, half);
    const packages = archives.map(({ name, at = name }) => at);
    await writeFile(path.join(half, PACKAGES_MANIFEST), `${JSON.stringify({ packages }, null, 2)}\n`);
    await rm(folder, { recursive: true, force: true });
    // One that is made by root serves other users too; a temporary folder is its maker's alone.
    await chmod(half, 0o755);
    await rename(half, folder);
  } finally {
    await rm(half, { recursive: true, force: true });
  }
}

async function installOne(archive: NpmArchive, registry: string, half: string): Promise<void> {
  const { name, version, integrity, at = name } = archive;
  const short = name.split('/').at(-1)!;
  const base = registry.endsWith('/') ? registry : `${registry}/`;
  const url = new URL(`${name}/-/${short}-${version}.tgz`, base).href;
  const file = path.join(half, `${short}-${version}.tgz`);
  const bar = new SingleBar({ format: ` ${name} {bar} {value}/{total} MB`, hideCursor: true });
  const mega = (bytes: number): number => Math.ceil(bytes / 2 ** 20);
  bar.start(1, 0);
  try {
    const onProgress = (has: number, total: number | null): void => {
      if (total !== null) bar.setTotal(mega(total));
      bar.update(mega(has));
    };
    await download({ url, file, sha256: null, integrity, onProgress });
  } finally {
    bar.stop();
  }
  await unpack(file, path.join(half, 'node_modules', at));
  await rm(file);
}

/** Unpacks an npm archive: the files of its `package/` folder; links and special files are left out. */
async function unpack(archive: string, folder: string): Promise<void> {
  const tar = extract();
  const unpacking = pipeline(createReadStream(archive), createGunzip(), tar);
  for await (const entry of tar) {
    const { name, type } = entry.header;
    const to = path.join(folder, ...name.split('/').slice(1));
    if (type !== 'file' || !to.startsWith(`${folder}${path.sep}`)) {
      entry.resume();
      continue;
    }
    await mkdir(path.dirname(to), { recursive: true });
    await pipeline(entry, createWriteStream(to));
  }
  await unpacking;
}
