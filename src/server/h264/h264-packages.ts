/**
 * The optional packages for H.264: where they are, and their loading. The home of node-datachannel and node-av. Both must
 * be loaded on the main thread.
 */

import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { CacheLeases } from '../../cache/leases.ts';
import { hasPackages } from '../../lib/system/package-folder.ts';
import { AV, type CodecLibrary } from './codec/codec-library.ts';
import type { TransportLibrary } from './transport-library.ts';

/** Both libraries. */
export interface H264Libraries {
  transport: TransportLibrary;
  codec: CodecLibrary;
}

/** Releases that FaceOff was tried with. */
export const H264_RELEASES = { transport: '0.33.4', codec: '6.1.1' };
/** The folder that `faceoff h264 install` fills. */
export const h264Folder = (cacheDir: string): string =>
  path.join(cacheDir, 'h264', `${H264_RELEASES.transport}-${H264_RELEASES.codec}-${process.platform}-${process.arch}`);

/** Whether the folder is complete. */
export const hasH264 = (cacheDir: string): boolean => hasPackages(h264Folder(cacheDir));

let loaded: { folder: string; libraries: Promise<H264Libraries> } | null = null;

/**
 * Loads the packages, once for the process.
 * @returns null where they are not installed.
 * @throws Error where they are installed and do not load.
 */
export async function loadH264(cacheDir: string): Promise<H264Libraries | null> {
  if (!hasH264(cacheDir)) return null;
  const folder = h264Folder(cacheDir);
  if (loaded === null) {
    loaded = { folder, libraries: load(cacheDir, folder) };
    loaded.libraries.catch(() => {
      loaded = null;
    });
  }
  return loaded.libraries;
}

async function load(cacheDir: string, folder: string): Promise<H264Libraries> {
  // Held for the life of the process, which cannot give native code back; the list of an ended process does not count.
  await new CacheLeases(cacheDir).hold(`h264/${path.basename(folder)}`);
  const at = (file: string): string => pathToFileURL(path.join(folder, 'node_modules', file)).href;
  const { default: transport } = (await import(at('node-datachannel/dist/esm/lib/index.mjs'))) as {
    default: TransportLibrary;
  };
  // The package's main module would load WebRTC and unpacking libraries that FaceOff does not use.
  const codec = (await import(at('node-av/dist/lib/index.js'))) as CodecLibrary;
  // What they would print is the publishers' business: broken streams, addresses.
  codec.Log.setLevel(AV.LOG_QUIET);
  return { transport, codec };
}
