/** Deletes from the cache: a kind when somebody asks, and what is too old or too much by schedule. */

import { rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { type CacheItem, type CacheKind, itemsOf, KINDS } from './cache-kinds.ts';
import { heldIn, type IsHeld } from './leases.ts';

export interface CacheLimits {
  maxMb: number;
  maxAgeDays: number;
}

export interface Cleaned {
  deleted: CacheItem[];
  /** What somebody uses, and is therefore still there. */
  held: CacheItem[];
}

const DAY_MS = 86_400_000;
/** What was begun and not finished for so long never will be. */
const ABANDONED_MS = DAY_MS;

/** Deletes every item of some kinds that nobody uses. */
export async function clear(cacheDir: string, kinds: readonly CacheKind[]): Promise<Cleaned> {
  const [items, isHeld] = [await allOf(cacheDir, kinds), await heldIn(cacheDir)];
  const free = items.filter(({ path: at }) => !isHeld(at));
  return { deleted: await removeAll(cacheDir, free), held: items.filter(({ path: at }) => isHeld(at)) };
}

/**
 * Brings the kinds that can be made again within their limits: first what was not used for too long, then the least
 * recently used until the rest fits. What is in use stays, whatever the limits.
 */
export async function sweep(cacheDir: string, limits: CacheLimits, nowMs = Date.now()): Promise<CacheItem[]> {
  const swept = KINDS.filter((kind) => kind.swept);
  const [items, isHeld] = [await allOf(cacheDir, swept), await heldIn(cacheDir)];
  return removeAll(cacheDir, surplus(items, limits, nowMs, isHeld));
}

/** The items beyond the limits, least recently used first. Those that are held count, and stay. */
export function surplus(
  ...[items, { maxMb, maxAgeDays }, nowMs, isHeld]: [readonly CacheItem[], CacheLimits, number, IsHeld]
): CacheItem[] {
  let bytes = items.reduce((sum, item) => sum + item.bytes, 0);
  const byUse = [...items].sort((a, b) => a.usedAtMs - b.usedAtMs);
  return byUse.filter((item) => {
    const ageMs = nowMs - item.usedAtMs;
    if (isHeld(item.path)) return false;
    // Somebody may be writing it.
    if (item.partial && ageMs < ABANDONED_MS) return false;
    if (!item.partial && ageMs <= maxAgeDays * DAY_MS && bytes <= maxMb * 2 ** 20) return false;
    bytes -= item.bytes;
    return true;
  });
}

const allOf = async (cacheDir: string, kinds: readonly CacheKind[]): Promise<CacheItem[]> =>
  (await Promise.all(kinds.map((kind) => itemsOf(cacheDir, kind)))).flat();

/** Returns those that are gone. */
async function removeAll(cacheDir: string, items: readonly CacheItem[]): Promise<CacheItem[]> {
  const gone: CacheItem[] = [];
  for (const item of items) if (await remove(path.join(cacheDir, item.path))) gone.push(item);
  return gone;
}

/** Renamed first, so that nobody finds half of it; an interrupted deletion is finished by a later sweep. */
async function remove(at: string): Promise<boolean> {
  const aside = `${at}.gone.part`;
  try {
    await rename(at, aside);
    await rm(aside, { recursive: true, force: true });
    return true;
  } catch {
    // Not ours to delete, or gone by itself.
    return false;
  }
}
