/**
 * What lies in the cache folder, by kind. In the folder of a kind each entry is one item, a file or a folder of its own;
 * its modification time is when it was last used, set by whoever uses it (`markUsed`). What is being written ends in
 * `.part` and is renamed when it is whole.
 */

import type { Dirent } from 'node:fs';
import { readdir, stat, utimes } from 'node:fs/promises';
import path from 'node:path';

export interface CacheKind {
  name: string;
  /** For people. */
  meaning: string;
  /** Cleaned by schedule: it can be made again without anybody being asked. */
  swept: boolean;
  /** Of people: deleted only when somebody says so twice. */
  personal: boolean;
  /** What the paths of its items in the cache folder begin with; the first kind that fits has it. */
  at: string;
}

export const KINDS: readonly CacheKind[] = [
  { name: 'faces', meaning: 'faces that were added', swept: false, personal: true, at: 'faces/' },
  { name: 'optimised', meaning: 'models optimised for this processor', swept: true, personal: false, at: 'optimised/' },
  { name: 'tensorrt', meaning: 'TensorRT engines', swept: true, personal: false, at: 'tensorrt/' },
  { name: 'gpu', meaning: 'libraries for the GPU', swept: false, personal: false, at: 'gpu/' },
  { name: 'certificate', meaning: 'the self-made HTTPS certificate', swept: false, personal: false, at: 'https-' },
  { name: 'other', meaning: 'the rest', swept: false, personal: false, at: '' },
];

export interface CacheItem {
  kind: string;
  /** Path in the cache folder, with slashes. */
  path: string;
  bytes: number;
  usedAtMs: number;
  /** It ends in `.part`: somebody writes it, or was interrupted. */
  partial: boolean;
}

/** Every item of a kind; none where there is no such folder. Hidden files are nobody's items. */
export async function itemsOf(cacheDir: string, kind: CacheKind): Promise<CacheItem[]> {
  const folder = kind.at.endsWith('/') ? kind.at : '';
  const names = (await list(path.join(cacheDir, folder))).map((entry) => `${folder}${entry.name}`);
  const own = names.filter((name) => kindOf(name) === kind.name);
  return (await Promise.all(own.map((at) => item(cacheDir, kind.name, at)))).filter((one) => one !== null);
}

/** The kind of what lies there; null for the folder of a kind itself. */
function kindOf(at: string): string | null {
  if (KINDS.some((kind) => kind.at === `${at}/`)) return null;
  return KINDS.find((kind) => at.startsWith(kind.at))!.name;
}

/** Null when it went away in the meantime. */
async function item(cacheDir: string, kind: string, at: string): Promise<CacheItem | null> {
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

/** Links are left alone: what they point at is not the cache's. */
async function list(folder: string): Promise<Dirent[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => !entry.isSymbolicLink() && !entry.name.startsWith('.'));
}

/** Notes that an item was used just now. */
export async function markUsed(cacheDir: string, at: string): Promise<void> {
  const now = new Date();
  await utimes(path.join(cacheDir, at), now, now).catch(() => undefined);
}

