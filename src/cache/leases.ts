/**
 * Who uses what of the cache, across processes and threads: each writes a list of the items it holds,
 * `.in-use/PID-….json`. The list of a process that is no more counts for nothing and is taken away.
 */

import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { isAlive } from '../lib/process-alive.ts';
import { markUsed } from './cache-kinds.ts';

const FOLDER = '.in-use';

export class CacheLeases {
  readonly #cacheDir: string;
  readonly #folder: string;
  readonly #name = `${process.pid}-${randomUUID().slice(0, 8)}.json`;
  readonly #held = new Map<string, number>();
  /** Lists are written one after another. */
  #last: Promise<void> = Promise.resolve();

  constructor(cacheDir: string) {
    this.#cacheDir = cacheDir;
    this.#folder = path.join(cacheDir, FOLDER);
  }

  /**
   * Keeps an item, or a whole kind by its folder, from being deleted, and notes that it is used: when it begins and when
   * it ends. To be asked before the item is opened; what is not there by then was cleaned, and has to be made again.
   * @param at path in the cache folder.
   * @returns what lets it go again; idempotent.
   */
  async hold(at: string): Promise<() => Promise<void>> {
    this.#held.set(at, (this.#held.get(at) ?? 0) + 1);
    await this.#write();
    await markUsed(this.#cacheDir, at);
    let over = false;
    return async () => {
      if (over) return;
      over = true;
      const left = this.#held.get(at)! - 1;
      if (left > 0) this.#held.set(at, left);
      else this.#held.delete(at);
      await markUsed(this.#cacheDir, at);
      await this.#write();
    };
  }

  /** Lets everything go. Idempotent. */
  async close(): Promise<void> {
    this.#held.clear();
    await this.#write();
  }

  #write(): Promise<void> {
    this.#last = this.#last.then(async () => {
      const file = path.join(this.#folder, this.#name);
      if (this.#held.size === 0) return rm(file, { force: true });
      await mkdir(this.#folder, { recursive: true });
      await writeFile(`${file}.part`, JSON.stringify([...this.#held.keys()]));
      await rename(`${file}.part`, file);
    });
    return this.#last;
  }
}

/** Whether an item is held, by this process or another that is alive. */
export type IsHeld = (at: string) => boolean;

export async function heldIn(cacheDir: string): Promise<IsHeld> {
  const folder = path.join(cacheDir, FOLDER);
  const held: string[] = [];
  for (const name of await readdir(folder).catch(() => [])) {
    const pid = /^(\d+)-\w+\.json$/.exec(name)?.[1];
    if (pid === undefined) continue;
    if (isAlive(Number(pid))) held.push(...(await readList(path.join(folder, name))));
    else await rm(path.join(folder, name), { force: true });
  }
  // A list that another process writes is whole, as it is renamed; a name it holds covers what lies below it.
  return (at) => held.some((one) => at === one || at.startsWith(one.endsWith('/') ? one : `${one}/`));
}

async function readList(file: string): Promise<string[]> {
  try {
    const list: unknown = JSON.parse(await readFile(file, 'utf8'));
    return Array.isArray(list) ? list.filter((one) => typeof one === 'string') : [];
  } catch {
    return [];
  }
}
