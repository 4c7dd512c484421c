/** File descriptors for peers. libwebrtc ends the whole process where the system gives it none. Linux. */

import { readdirSync, readFileSync } from 'node:fs';
import { RETRY_AFTER_MS } from '../../lib/error-body.ts';
import { FaceOffError } from '../../shared/errors.ts';
import { connectingPeers } from './peer.ts';

/** A session with sound takes 29 to 38, a viewer 19; each further network of the machine some more. */
const OF_A_PEER = 48;
/** Left for files, ffmpeg and threads. */
const OF_THE_REST = 32;

let most: number | null = null;

/** How many descriptors this process may have open (`ulimit -n`); Infinity where the system does not tell. */
export function mostDescriptors(): number {
  most ??= readMost();
  return most;
}

function readMost(): number {
  try {
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return limit === undefined ? Number.POSITIVE_INFINITY : Number(limit);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

function openDescriptors(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch (error) {
    // None is left to list them with.
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 0 : Number.POSITIVE_INFINITY;
  }
}

/**
 * Refuses a further peer where it might take the last descriptors; peers that are connecting will take some yet.
 * @throws FaceOffError `server_full` (503, details: retryAfterMs).
 */
export function requireDescriptors(): void {
  const limit = mostDescriptors();
  if (limit === Number.POSITIVE_INFINITY) return;
  if (limit - openDescriptors() >= OF_THE_REST + OF_A_PEER * (1 + connectingPeers())) return;
  throw new FaceOffError(
    'server_full',
    `The server has too few file descriptors left for another connection. Try again in a moment, or allow it more than ${limit} (ulimit -n).`,
    { details: { retryAfterMs: RETRY_AFTER_MS } },
  );
}
