/** Which faces the gallery shows, and in which order. Free of the DOM, for tests. */

import type { FaceInfo } from '../../../shared/messages.ts';

/** Orders of the gallery. */
export const FACE_ORDERS = ['used', 'name', 'newest'] as const;
/** One of FACE_ORDERS. */
export type FaceOrder = (typeof FACE_ORDERS)[number];

/** When each face was last chosen in this browser, by id, in milliseconds since 1970. */
export type FaceUses = Readonly<Record<string, number>>;

/** Most uses that are kept. */
const MOST_USES = 200;

/** The faces in an order; included faces of equal rank keep theirs. */
export function inOrder(faces: readonly FaceInfo[], order: FaceOrder, uses: FaceUses): FaceInfo[] {
  const compare: Record<FaceOrder, (a: FaceInfo, b: FaceInfo) => number> = {
    used: (a, b) => (uses[b.id] ?? 0) - (uses[a.id] ?? 0),
    name: (a, b) => a.name.localeCompare(b.name),
    newest: (a, b) => b.addedAt.localeCompare(a.addedAt),
  };
  return [...faces].sort(compare[order]);
}

/** Whether a face's name has every word of a query, whatever its case and accents. */
export function isFound({ name }: Pick<FaceInfo, 'name'>, query: string): boolean {
  const text = plain(name);
  return plain(query)
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/** The uses with one more; the oldest are dropped where there are too many. */
export function withUse(uses: FaceUses, face: string, nowMs: number): FaceUses {
  const newest = Object.entries({ ...uses, [face]: nowMs }).sort(([, a], [, b]) => b - a);
  return Object.fromEntries(newest.slice(0, MOST_USES));
}

/** Reads back what was kept; what does not fit is left out. */
export function usesFrom(kept: unknown): FaceUses {
  if (typeof kept !== 'object' || kept === null || Array.isArray(kept)) return {};
  return Object.fromEntries(Object.entries(kept).filter(([, at]) => typeof at === 'number'));
}

const plain = (text: string): string => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
