/**
 * `faceoff h264 install` (`npm run h264:install`): downloads the packages for H.264, only on this command, checks the
 * digests that npm's registry gave for them, and unpacks them into models.cacheDir. None of their scripts runs.
 */

import { Command } from 'commander';
import { h264Folder, loadH264 } from '../../server/h264/h264-packages.ts';
import { FaceOffError, messageOf } from '../../shared/errors.ts';
import { type ConfigOptions, configOf, withConfig } from '../options.ts';
import archives from './h264-archives.json' with { type: 'json' };
import { installPackages, type PackageSource, sourceFor } from './npm-packages.ts';

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
function sourceOf(): PackageSource {
  const source = sourceFor(archives);
  if (source !== null) return source;
  throw new FaceOffError(
    'no_h264_packages',
    `The packages for H.264 are published for ${Object.keys(archives.platforms).join(', ')}, and this is ${process.platform}-${process.arch}. Publish in VP8, VP9 or AV1.`,
  );
}

/**
 * Installs the packages below `cacheDir`. Idempotent: packages that are there already are not downloaded again.
 * @throws FaceOffError those of `download`; then nothing is installed.
 */
export const installH264 = (cacheDir: string, source: PackageSource): Promise<void> =>
  installPackages(h264Folder(cacheDir), source);

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
