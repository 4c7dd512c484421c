/**
 * `faceoff agent install` (`npm run livekit:install`): downloads the packages that a worker of LiveKit needs, only on this
 * command, into models.cacheDir.
 */

import { Command } from 'commander';
import { loadRtc, rtcFolder } from '../../agent/rtc-packages.ts';
import { FaceOffError } from '../../shared/errors.ts';
import { type ConfigOptions, configOf, withConfig } from '../options.ts';
import archives from './livekit-archives.json' with { type: 'json' };
import { installPackages, type PackageSource, sourceFor } from './npm-packages.ts';

/** What the packages bring, told before. */
const NOTICE = [
  'LiveKit’s media library (@livekit/rtc-node, Apache License 2.0) carries a build of WebRTC with OpenH264. H.264 is patented in',
  'some countries: whether your use needs a licence is for you to find out. The packages are fetched from npm as they are, and are',
  'no part of FaceOff.',
].join('\n');

/** `faceoff agent install`. */
export function livekitInstallCommand(defaultConfig: string): Command {
  const install = new Command('install').description('fetch what a worker of LiveKit needs');
  return withConfig(install, defaultConfig).action(async (options: ConfigOptions) => {
    const { cacheDir } = configOf(options).models;
    console.log(NOTICE);
    await installPackages(rtcFolder(cacheDir), livekitSource());
    await loadRtc(cacheDir);
    console.log(`The packages for LiveKit are in ${rtcFolder(cacheDir)}.`);
    // The library's threads outlive the command.
    process.exit(0);
  });
}

/** @throws FaceOffError `no_livekit_packages` where they are not published for this platform. */
function livekitSource(): PackageSource {
  const source = sourceFor(archives);
  if (source !== null) return source;
  throw new FaceOffError(
    'no_livekit_packages',
    `The packages for LiveKit are published for ${Object.keys(archives.platforms).join(', ')}, and this is ${process.platform}-${process.arch}.`,
  );
}
