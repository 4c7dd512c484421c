/**
 * The kinds of items in the cache folder. In the folder of a kind each entry is one item, a file or a folder; its
 * modification time is the time of its last use, set by the thread that opens it (`markUsed`). An item that is being
 * written ends in `.part` and is renamed when it is whole. The cache holds only what can be made again; what people made
 * is in storage.dir.
 */

import type { Dirent } from 'node:fs';
import { readdir, stat, utimes } from 'node:fs/promises';
import path from 'node:path';

/** One kind of items that FaceOff keeps in the cache. */
export interface CacheKind {
  name: string;
  /** One line for people. */
  meaning: string;
  /** Whether the clean-up by schedule deletes its items: FaceOff makes them again without being asked. */
  swept: boolean;
  /** Whether FaceOff put its items there. Items of other origin are listed and never deleted. */
  own: boolean;
  /** Folder of its items in the cache folder, with a slash; empty for whatever lies beside those folders. */
  folder: string;
}

/** Every kind; `other` is whatever no kind names, among it the faces that FaceOff 0.1 kept in the cache. */
export const KINDS: readonly CacheKind[] = [
  {
    name: 'optimised',
    meaning: 'models optimised for this processor',
    swept: true,
    own: true,
    folder: 'optimised/',
  },
  { name: 'tensorrt', meaning: 'TensorRT engines', swept: true, own: true, folder: 'tensorrt/' },
  { name: 'gpu', meaning: 'libraries for the GPU', swept: false, own: true, folder: 'gpu/' },
  { name: 'h264', meaning: 'packages for H.264', swept: false, own: true, folder: 'h264/' },
  { name: 'livekit', meaning: 'packages for LiveKit', swept: false, own: true, folder: 'livekit/' },
  { name: 'tuning', meaning: 'batch sizes measured on this machine', swept: false, own: true, folder: 'tuning/' },
  { name: 'other', meaning: 'not made by FaceOff, never deleted', swept: false, own: false, folder: '' },
];

/** One file or folder in the cache. */
export interface CacheItem {
  kind: string;
  /** Path in the cache folder, with slashes. */
  path: string;
  bytes: number;
  /** Time of the last use, in milliseconds since 1970. */
  usedAtMs: number;
  /** Whether its name ends in `.part`: it is being written, or its writing was interrupted. */
  partial: boolean;
}

/** Every item of a kind; none where the folder does not exist. Hidden files and links are not items. */
export async function itemsOf(cacheDir: string, { name: kind, folder }: CacheKind): Promise<CacheItem[]> {
  const paths = (await list(path.join(cacheDir, folder)))
    .map((entry) => `${folder}${entry.name}`)
    .filter((at) => !isKindFolder(at));
  return (await Promise.all(paths.map((at) => itemAt(cacheDir, kind, at)))).filter((one) => one !== null);
}

const isKindFolder = (at: string): boolean => KINDS.some(({ folder }) => folder === `${at}/`);

/** Null when the item went away in the meantime. */
async function itemAt(cacheDir: string, kind: string, at: string): Promise<CacheItem | null> {
  const full = path.join(cacheDir, at);
  const [bytes, own] = await Promise.all([bytesOf(full), stat(full).catch(() => null)]);
  if (own === null) return null;
  return { kind, path: at, bytes, usedAtMs: own.mtimeMs, partial: at.endsWith('.part') };
}

async function bytesOf(at: string): Promise<number> {
  const own = await stat(at).catch(() => null);
  if (own === null) return 0;
  if (!own.isDirectory()) return own.size;
  const sizes = await Promise.all((await list(at)).map(({ name }) => bytesOf(path.join(at, name))));
  return sizes.reduce((sum, bytes) => sum + bytes, 0);
}

/** Links are left out: the file or folder that a link points at does not belong to the cache. */
async function list(folder: string): Promise<Dirent[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => !entry.isSymbolicLink() && !entry.name.startsWith('.'));
}

/** Sets an item's modification time to now. Does nothing where the item does not exist. */
export async function markUsed(cacheDir: string, at: string): Promise<void> {
  const now = new Date();
  await utimes(path.join(cacheDir, at), now, now).catch(() => undefined);
}
