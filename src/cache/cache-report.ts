/** Sums up what lies in the cache, by kind. */

import { FaceOffError } from '../shared/errors.ts';
import type { CacheReport } from '../shared/messages.ts';
import { type CacheKind, itemsOf, KINDS } from './cache-kinds.ts';
import { heldIn } from './leases.ts';

/** Every kind with the number, size and last use of its items; `usedAt` is null for a kind without items. */
export async function reportOf(cacheDir: string): Promise<CacheReport[]> {
  const isHeld = await heldIn(cacheDir);
  return Promise.all(
    KINDS.map(async (kind) => {
      const items = await itemsOf(cacheDir, kind);
      const usedAtMs = Math.max(...items.map((item) => item.usedAtMs));
      return {
        kind: kind.name,
        meaning: kind.meaning,
        swept: kind.swept,
        items: items.length,
        bytes: items.reduce((sum, { bytes }) => sum + bytes, 0),
        inUse: items.filter(({ path }) => isHeld(path)).length,
        usedAt: items.length === 0 ? null : new Date(usedAtMs).toISOString(),
      };
    }),
  );
}

/**
 * The kind of that name whose items may be deleted.
 * @throws FaceOffError `unknown_kind` (404) naming the kinds, `not_ours` (403) for what FaceOff did not make.
 */
export function kindNamed(name: string): CacheKind {
  const kind = KINDS.find((one) => one.name === name);
  if (kind === undefined) {
    const names = KINDS.map((one) => one.name).join(', ');
    throw new FaceOffError('unknown_kind', `Nothing of the kind "${name.slice(0, 64)}" is cached. The kinds are: ${names}.`);
  }
  if (kind.own) return kind;
  throw new FaceOffError(
    'not_ours',
    'FaceOff deletes only what it made. Delete the other files in models.cacheDir by hand.'
  );
}
