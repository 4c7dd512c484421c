/**
 * Which items of the cache are in use, across processes and threads. Each user writes a list of the items it holds,
 * `.in-use/PID-….json`; the list of a process that has ended is ignored and deleted.
 */

import { randomUUID } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder } from '../lib/system/make-folder.ts';
import { isAlive } from '../lib/process-alive.ts';
import { SerialQueue } from '../lib/serial.ts';
import { writeWhole } from '../lib/system/whole-file.ts';
import { markUsed } from './cache-kinds.ts';

const FOLDER = '.in-use';

/** The leases of one user of the cache: the main thread, a lane's client or a device process has one each. */
export class CacheLeases {
  readonly #cacheDir: string;
  readonly #folder: string;
  readonly #name = `${process.pid}-${randomUUID().slice(0, 8)}.json`;
  /** Number of holders by path. */
  readonly #held = new Map<string, number>();
  readonly #writes = new SerialQueue();
  readonly #onProblem: (error: unknown) => void;

  /** @param onProblem is told that the list cannot be written. */
  constructor(cacheDir: string, onProblem: (error: unknown) => void = () => undefined) {
    this.#cacheDir = cacheDir;
    this.#onProblem = onProblem;
    this.#folder = path.join(cacheDir, FOLDER);
  }

  /**
   * Keeps an item, or a whole kind by its folder, from being deleted, and notes its use: at the beginning and at the
   * end. Call it before the item is opened; an item that does not exist by then was cleaned, and must be made again.
   * @param at path in the cache folder.
   * Where the list cannot be written, other processes do not know of the lease; what they delete is made again.
   * @returns a function that ends the lease; idempotent.
   */
  async hold(at: string): Promise<() => Promise<void>> {
    this.#held.set(at, (this.#held.get(at) ?? 0) + 1);
    await this.#write();
    await markUsed(this.#cacheDir, at);
    let isOver = false;
    return async () => {
      if (isOver) return;
      isOver = true;
      const left = this.#held.get(at)! - 1;
      if (left > 0) this.#held.set(at, left);
      else this.#held.delete(at);
      await markUsed(this.#cacheDir, at);
      await this.#write();
    };
  }

  /** Ends every lease. Idempotent. */
  async close(): Promise<void> {
    this.#held.clear();
    await this.#write();
  }

  #write(): Promise<void> {
    return this.#writes.run(async () => {
      const file = path.join(this.#folder, this.#name);
      try {
        if (this.#held.size === 0) return await rm(file, { force: true });
        await makeFolder(this.#folder);
        await writeWhole(file, JSON.stringify([...this.#held.keys()]));
      } catch (error) {
        this.#onProblem(error);
      }
    });
  }
}

/** Whether an item is held, by this process or another one that is alive. */
export type IsHeld = (at: string) => boolean;

/** Reads every list of a cache folder, and deletes the lists of processes that have ended. */
export async function heldIn(cacheDir: string): Promise<IsHeld> {
  const folder = path.join(cacheDir, FOLDER);
  const held: string[] = [];
  for (const name of await readdir(folder).catch(() => [])) {
    const pid = /^(\d+)-\w+\.json$/.exec(name)?.[1];
    if (pid === undefined) continue;
    if (isAlive(Number(pid))) held.push(...(await readList(path.join(folder, name))));
    else await rm(path.join(folder, name), { force: true });
  }
  // Lists are renamed when they are whole, so none is read half-written. A name that is held covers what lies below it.
  return (at) => held.some((one) => at === one || at.startsWith(one.endsWith('/') ? one : `${one}/`));
}

/** Empty where the file is gone or holds no list. */
async function readList(file: string): Promise<string[]> {
  try {
    const list: unknown = JSON.parse(await readFile(file, 'utf8'));
    return Array.isArray(list) ? list.filter((one) => typeof one === 'string') : [];
  } catch {
    return [];
  }
}
