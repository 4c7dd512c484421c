/** Deletes from the cache: one kind on request, and by schedule what is too old or too much. */

import { rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { type CacheItem, type CacheKind, itemsOf, KINDS } from './cache-kinds.ts';
import { heldIn, type IsHeld } from './leases.ts';

/** Limits of the clean-up by schedule. */
export interface CacheLimits {
  /** Size of all swept kinds together, in MiB. */
  maxMb: number;
  /** Time since the last use. */
  maxAgeDays: number;
}

/** The result of a deletion. */
export interface Cleaned {
  deleted: CacheItem[];
  /** Items that are in use, and therefore still there. */
  held: CacheItem[];
}

const DAY_MS = 86_400_000;
/** An unfinished item of this age is taken for abandoned. */
const ABANDONED_MS = DAY_MS;

/** Deletes every item of some kinds that is not in use. Kinds that FaceOff does not own are passed over. */
export async function clear(cacheDir: string, kinds: readonly CacheKind[]): Promise<Cleaned> {
  const items = await allOf(
    cacheDir,
    kinds.filter((kind) => kind.own),
  );
  const isHeld = await heldIn(cacheDir);
  const free = items.filter(({ path: at }) => !isHeld(at));
  return { deleted: await removeAll(cacheDir, free), held: items.filter(({ path: at }) => isHeld(at)) };
}

/**
 * Brings the swept kinds within the limits: first what was not used for too long, then the least recently used until the
 * rest fits. Items in use stay, whatever the limits. @returns the items that were deleted.
 */
export async function sweep(cacheDir: string, limits: CacheLimits, nowMs = Date.now()): Promise<CacheItem[]> {
  const swept = KINDS.filter((kind) => kind.swept);
  const items = await allOf(cacheDir, swept);
  const isHeld = await heldIn(cacheDir);
  return removeAll(cacheDir, surplus(items, limits, nowMs, isHeld));
}

/** The items beyond the limits, least recently used first. Items in use count towards the size, and stay. */
export function surplus(
  items: readonly CacheItem[],
  { maxMb, maxAgeDays }: CacheLimits,
  nowMs: number,
  isHeld: IsHeld,
): CacheItem[] {
  let bytes = items.reduce((sum, item) => sum + item.bytes, 0);
  const byUse = [...items].sort((a, b) => a.usedAtMs - b.usedAtMs);
  return byUse.filter((item) => {
    const ageMs = nowMs - item.usedAtMs;
    if (isHeld(item.path)) return false;
    // Another process may be writing it.
    if (item.partial && ageMs < ABANDONED_MS) return false;
    if (!item.partial && ageMs <= maxAgeDays * DAY_MS && bytes <= maxMb * 2 ** 20) return false;
    bytes -= item.bytes;
    return true;
  });
}

const allOf = async (cacheDir: string, kinds: readonly CacheKind[]): Promise<CacheItem[]> =>
  (await Promise.all(kinds.map((kind) => itemsOf(cacheDir, kind)))).flat();

/** Returns the items that are gone. */
async function removeAll(cacheDir: string, items: readonly CacheItem[]): Promise<CacheItem[]> {
  const gone: CacheItem[] = [];
  for (const item of items) if (await remove(path.join(cacheDir, item.path))) gone.push(item);
  return gone;
}

/** Renames the item first, so that no reader finds half of it; a later sweep finishes an interrupted deletion. */
async function remove(at: string): Promise<boolean> {
  const aside = `${at}.gone.part`;
  try {
    await rename(at, aside);
    await rm(aside, { recursive: true, force: true });
    return true;
  } catch {
    // The item belongs to another user, or went away by itself.
    return false;
  }
}
