/**
 * Store of build results (TensorRT engines, optimised models) by a key of everything they depend on. Each key has a
 * folder, which is complete or absent: it is filled under another name, gets a manifest with the digests of its files,
 * and is then renamed. A folder that fails its check is removed.
 */

import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { isAlive } from '../../lib/process-alive.ts';
import { makeFolder } from '../../lib/system/make-folder.ts';
import { FaceOffError } from '../../shared/errors.ts';
import { digestOf } from '../models/model-store.ts';

/** Everything an artefact depends on; a different value means a different artefact. */
export type Parts = Readonly<Record<string, string | number | boolean>>;

interface Manifest {
  parts: Parts;
  files: Record<string, { bytes: number; sha256: string }>;
  madeAt: string;
  tookMs: number;
}

const MANIFEST = 'manifest.json';
const HALF_MADE = '.half-';
/** TensorRT rewrites its timing cache at any time; a wrong one costs time only. */
const UNCHECKED = /\.timing$/;

/** The key of an artefact: sha256 over its parts, independent of their order. */
export function keyOf(parts: Parts): string {
  const sorted = Object.entries(parts).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex');
}

/** Artefacts of one kind, in a folder of the cache. Several processes may use the same folder. */
export class Artefacts {
  readonly folder: string;
  readonly #making = new Map<string, Promise<string>>();

  constructor(folder: string) {
    this.folder = folder;
  }

  /**
   * The folder of an artefact, checked file by file and marked as used now; null when it is absent or failed its check,
   * upon which it is removed.
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
   * Finds or makes an artefact; concurrent calls share one `make`.
   * @param make fills the given folder; when it fails, the folder is removed.
   * @throws whatever `make` throws; FaceOffError `nothing_made` when it left the folder empty.
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
    await makeFolder(this.folder);
    const half = path.join(this.folder, `${key}${HALF_MADE}${process.pid}-${randomUUID().slice(0, 8)}.part`);
    await mkdir(half);
    try {
      const beganMs = performance.now();
      await make(half);
      await writeManifest(half, parts, performance.now() - beganMs);
      const whole = path.join(this.folder, key);
      // Another process may have been faster; its artefact is equally good.
      await rename(half, whole).catch(async (error: unknown) => {
        if ((await this.find(parts)) === null) throw error;
      });
      return whole;
    } finally {
      await rm(half, { recursive: true, force: true });
    }
  }

  /** Removes half-made folders of processes that have ended. @returns how many. */
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

async function writeManifest(folder: string, parts: Parts, tookMs: number): Promise<void> {
  const names = await readdir(folder);
  if (names.length === 0) throw new FaceOffError('nothing_made', 'Nothing was made, though nothing failed either.');
  const files: Manifest['files'] = {};
  for (const name of names.filter((one) => !UNCHECKED.test(one))) {
    const file = path.join(folder, name);
    files[name] = { bytes: (await stat(file)).size, sha256: await digestOf(file) };
  }
  const manifest: Manifest = { parts, files, madeAt: new Date().toISOString(), tookMs: Math.round(tookMs) };
  await writeFile(path.join(folder, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** Compares all files with the manifest. @throws Error when one differs. */
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
