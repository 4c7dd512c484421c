/** Where the optional packages of LiveKit's media are, and their loading. The home of @livekit/rtc-node. */

import { createRequire } from 'node:module';
import path from 'node:path';
import { CacheLeases } from '../cache/leases.ts';
import { isPackage } from '../lib/installation.ts';
import { root } from '../lib/package-root.ts';
import { hasPackages } from '../lib/system/package-folder.ts';
import { FaceOffError, messageOf } from '../shared/errors.ts';
import type { RtcLibrary } from './rtc-library.ts';

/** The release that FaceOff was tried with. */
export const RTC_RELEASE = '1.1.0';

/** How people install it. */
const RTC_COMMAND = isPackage ? 'npx faceoff agent install' : 'npm run livekit:install';

/** The folder that `faceoff agent install` fills. */
export const rtcFolder = (cacheDir: string): string =>
  path.join(cacheDir, 'livekit', `${RTC_RELEASE}-${process.platform}-${process.arch}`);

/**
 * The complete folder of the packages: that of the cache, else one that came with the program, as in the container image, whose
 * cache is a volume. Null where neither is complete.
 */
const installedFolder = (cacheDir: string, programDir: string): string | null =>
  [cacheDir, programDir].map(rtcFolder).find(hasPackages) ?? null;

/** Whether the packages are installed, in the cache or with the program. */
export const hasRtc = (cacheDir: string, programDir = root): boolean => installedFolder(cacheDir, programDir) !== null;

/**
 * Loads the library, on the main thread.
 * @throws FaceOffError `no_livekit_packages` where it is not installed or does not load.
 */
export async function loadRtc(cacheDir: string, programDir = root): Promise<RtcLibrary> {
  const folder = installedFolder(cacheDir, programDir);
  if (folder === null)
    throw new FaceOffError(
      'no_livekit_packages',
      `The packages for LiveKit's media are not in ${rtcFolder(cacheDir)}. Install them: ${RTC_COMMAND}.`,
    );
  // Held for the life of the process, which cannot give native code back; the list of an ended process does not count.
  await new CacheLeases(cacheDir).hold(`livekit/${path.basename(folder)}`);
  const at = createRequire(path.join(folder, 'package.json'));
  try {
    const library = at('@livekit/rtc-node') as RtcLibrary;
    // What it would print is the publishers' business: tracks, rooms, addresses.
    const { log } = at(path.join(path.dirname(at.resolve('@livekit/rtc-node')), 'log.cjs')) as {
      log: { level: string };
    };
    log.level = 'silent';
    await warmUp(library);
    return library;
  } catch (cause) {
    throw new FaceOffError(
      'no_livekit_packages',
      `The packages for LiveKit's media are installed but do not load here: ${messageOf(cause)}. Linux needs glibc; musl is not served.`,
      { cause },
    );
  }
}

/** Starts the library's threads and codecs, which would cost the first job a second. */
async function warmUp({ VideoSource, LocalVideoTrack }: RtcLibrary): Promise<void> {
  const source = new VideoSource(64, 64);
  await LocalVideoTrack.createVideoTrack('warm-up', source).close(false);
  await source.close();
}
