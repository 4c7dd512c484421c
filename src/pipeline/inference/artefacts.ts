/**
 * What took long to make and can be made again, kept by a key of everything it depends on: TensorRT engines, optimised
 * models. A folder a key, whole or not there: it is made under another name, gets a list of its files with their digests, and
 * is then renamed. What is found broken is thrown away.
 */

import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { isAlive } from '../../lib/process-alive.ts';
import { FaceOffError } from '../../shared/errors.ts';
import { digestOf } from '../models/model-store.ts';

/** Everything that makes it what it is; a value that differs is another artefact. */
export type Parts = Readonly<Record<string, string | number | boolean>>;

interface Manifest {
  parts: Parts;
  files: Record<string, { bytes: number; sha256: string }>;
  madeAt: string;
  tookMs: number;
}

const MANIFEST = 'manifest.json';
const HALF = '.half-';
/** TensorRT writes its timing cache again when it likes; a wrong one costs time only. */
const CHANGING = /\.timing$/;

/** sha256 over the parts, whatever their order. */
export function keyOf(parts: Parts): string {
  const sorted = Object.entries(parts).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex');
}

export class Artefacts {
  readonly folder: string;
  readonly #making = new Map<string, Promise<string>>();

  constructor(folder: string) {
    this.folder = folder;
  }

  /**
   * The folder of the artefact, checked file by file and marked as used now; null when it is not there or was broken, in which
   * case it was removed.
   */
  async find(parts: Parts): Promise<string | null> {
    const folder = path.join(this.folder, keyOf(parts));
    if (!(await exists(folder))) return null;
    try {
      await check(folder);
      const now = new Date();
      await utimes(folder, now, now);
      return folder;
    } catch {
      await rm(folder, { recursive: true, force: true });
      return null;
    }
  }

  /**
   * Finds it or makes it; asked for several times at once, it is made once.
   * @param make fills the folder it is given. When it fails, nothing stays.
   * @throws what `make` throws, or FaceOffError `nothing_made` when it left the folder empty.
   */
  obtain(parts: Parts, make: (folder: string) => Promise<void>): Promise<string> {
    const key = keyOf(parts);
    let making = this.#making.get(key);
    if (making === undefined) {
      making = this.#obtain(parts, key, make).finally(() => this.#making.delete(key));
      this.#making.set(key, making);
    }
    return making;
  }

  async #obtain(parts: Parts, key: string, make: (folder: string) => Promise<void>): Promise<string> {
    const found = await this.find(parts);
    if (found !== null) return found;
    await mkdir(this.folder, { recursive: true });
    const half = path.join(this.folder, `${key}${HALF}${process.pid}-${randomUUID().slice(0, 8)}.part`);
    await mkdir(half);
    try {
      const beganMs = performance.now();
      await make(half);
      await describe(half, parts, performance.now() - beganMs);
      const whole = path.join(this.folder, key);
      // Another process may have been quicker; its artefact is as good.
      await rename(half, whole).catch(async (error: unknown) => {
        if ((await this.find(parts)) === null) throw error;
      });
      return whole;
    } finally {
      await rm(half, { recursive: true, force: true });
    }
  }

  /** Removes what processes that are gone left half made. @returns how many. */
  async sweep(): Promise<number> {
    const names = await readdir(this.folder).catch(() => []);
    const dead = names.filter((name) => {
      const pid = /\.half-(\d+)-/.exec(name)?.[1];
      return pid !== undefined && !isAlive(Number(pid));
    });
    for (const name of dead) await rm(path.join(this.folder, name), { recursive: true, force: true });
    return dead.length;
  }
}

async function describe(folder: string, parts: Parts, tookMs: number): Promise<void> {
  const names = await readdir(folder);
  if (names.length === 0) throw new FaceOffError('nothing_made', 'Nothing was made, though nothing failed either.');
  const files: Manifest['files'] = {};
  for (const name of names.filter((one) => !CHANGING.test(one))) {
    const file = path.join(folder, name);
    files[name] = { bytes: (await stat(file)).size, sha256: await digestOf(file) };
  }
  const manifest: Manifest = { parts, files, madeAt: new Date().toISOString(), tookMs: Math.round(tookMs) };
  await writeFile(path.join(folder, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** @throws Error when anything is not as it was made. */
async function check(folder: string): Promise<void> {
  const { files } = JSON.parse(await readFile(path.join(folder, MANIFEST), 'utf8')) as Manifest;
  for (const [name, { bytes, sha256 }] of Object.entries(files)) {
    const file = path.join(folder, name);
    if ((await stat(file)).size !== bytes || (await digestOf(file)) !== sha256) throw new Error(`${name} is broken`);
  }
}

const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );
