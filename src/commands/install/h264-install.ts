/**
 * `faceoff h264 install` (`npm run h264:install`): downloads the packages for H.264, only on this command, checks the
 * digests that npm's registry gave for them, and unpacks them into models.cacheDir. None of their scripts runs.
 */

import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { SingleBar } from 'cli-progress';
import { Command } from 'commander';
import { extract } from 'tar-stream';
import { download } from '../../pipeline/models/download.ts';
import { H264_MANIFEST, h264Folder, hasH264, loadH264 } from '../../server/h264/h264-packages.ts';
import { FaceOffError, messageOf } from '../../shared/errors.ts';
import { type ConfigOptions, configOf, withConfig } from '../options.ts';
import archives from './h264-archives.json' with { type: 'json' };

/** An npm package: its name, version, and the digest of its archive. */
export interface NpmArchive {
  name: string;
  version: string;
  integrity: string;
}

/** Which packages to install, and where from. */
export interface H264Source {
  registry: string;
  archives: readonly NpmArchive[];
}

const REGISTRY = process.env.npm_config_registry ?? 'https://registry.npmjs.org/';
/** What the packages bring, told before and after. */
const NOTICE = [
  'The codec (node-av) carries a build of FFmpeg with x264 under the GNU General Public License, version 3; the transport',
  '(node-datachannel) is under the Mozilla Public License 2.0. H.264 is patented in some countries: whether your use needs a',
  'licence is for you to find out. Both packages are fetched from npm as they are, and are no part of FaceOff.',
].join('\n');

/** `faceoff h264 install`. */
export function h264Command(defaultConfig: string): Command {
  const install = new Command('install').description(
    'fetch what publishers and viewers in H.264 need (OBS, GStreamer)',
  );
  return new Command('h264').description('packages for H.264').addCommand(
    withConfig(install, defaultConfig).action(async (options: ConfigOptions) => {
      const { cacheDir } = configOf(options).models;
      console.log(NOTICE);
      await installH264(cacheDir, sourceOf());
      await checkLoads(cacheDir);
      console.log(`The packages for H.264 are in ${h264Folder(cacheDir)}. Restart the server to use them.`);
    }),
  );
}

/** @throws FaceOffError `no_h264_packages` where they are not published for this platform. */
function sourceOf(): H264Source {
  const platform = `${process.platform}-${process.arch}`;
  const own = (archives.platforms as Record<string, NpmArchive[]>)[platform];
  if (own !== undefined) return { registry: REGISTRY, archives: [...archives.common, ...own] };
  const known = Object.keys(archives.platforms).join(', ');
  throw new FaceOffError(
    'no_h264_packages',
    `The packages for H.264 are published for ${known}, and this is ${platform}. Publish in VP8, VP9 or AV1.`,
  );
}

/**
 * Installs the packages below `cacheDir`. Idempotent: packages that are there already are not downloaded again.
 * @throws FaceOffError those of `download`; then nothing is installed.
 */
export async function installH264(cacheDir: string, { registry, archives: wanted }: H264Source): Promise<void> {
  if (hasH264(cacheDir)) return;
  const folder = path.dirname(h264Folder(cacheDir));
  await mkdir(folder, { recursive: true });
  const half = await mkdtemp(path.join(folder, 'half-'));
  try {
    for (const archive of wanted) await installOne(archive, registry, half);
    const packages = wanted.map(({ name }) => name);
    await writeFile(path.join(half, H264_MANIFEST), `${JSON.stringify({ packages }, null, 2)}\n`);
    await rm(h264Folder(cacheDir), { recursive: true, force: true });
    await rename(half, h264Folder(cacheDir));
  } finally {
    await rm(half, { recursive: true, force: true });
  }
}

async function installOne({ name, version, integrity }: NpmArchive, registry: string, half: string): Promise<void> {
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
  await unpack(file, path.join(half, 'node_modules', name));
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

/** @throws FaceOffError `no_h264_packages` if they cannot be used on this machine. */
async function checkLoads(cacheDir: string): Promise<void> {
  try {
    await loadH264(cacheDir);
  } catch (cause) {
    throw new FaceOffError(
      'no_h264_packages',
      `The packages for H.264 are installed but do not load here: ${messageOf(cause)}. Publish in VP8, VP9 or AV1.`,
      { cause },
    );
  }
}
