/** Persisted results of batch tuning, so that a model is tuned once per machine. */

import { readFile, rename, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { makeFolder } from '../../lib/system/make-folder.ts';

/** Result of tuning one model on this machine. */
export interface TunedBatch {
  /** Batch size with the most pictures a second; a larger one only costs time. */
  best: number;
  /** Milliseconds of a run at batch 1. */
  loneMs: number;
}

const File = z.record(z.string(), z.strictObject({ best: z.int().positive(), loneMs: z.number().positive() }));

/** The file `tuning/batches.json` of the cache, replaced atomically. Runs in the device process. */
export class BatchTuning {
  readonly #file: string;
  /** Configuration that the measured times depend on, as text. */
  readonly #setting: string;
  #saving: Promise<void> = Promise.resolve();

  /** @param setting threads, budget and any other configuration that changes the best batch. */
  constructor(cacheDir: string, setting: string) {
    this.#file = path.join(cacheDir, 'tuning', 'batches.json');
    this.#setting = setting;
  }

  /** The saved result for a model (by the sha256 of its file) on a provider; null where there is none. */
  async find(sha256: string, provider: string): Promise<TunedBatch | null> {
    return (await this.#read())[this.#key(sha256, provider)] ?? null;
  }

  /** Saves a result. A failed write is ignored: the model is tuned again at the next start. */
  save(sha256: string, provider: string, tuned: TunedBatch): Promise<void> {
    // Writes are serial, as each adds to the file that the previous one wrote.
    this.#saving = this.#saving.then(() => this.#write(sha256, provider, tuned)).catch(() => undefined);
    return this.#saving;
  }

  async #write(sha256: string, provider: string, tuned: TunedBatch): Promise<void> {
    const all = { ...(await this.#read()), [this.#key(sha256, provider)]: tuned };
    await makeFolder(path.dirname(this.#file));
    const part = `${this.#file}.${process.pid}.part`;
    await writeFile(part, JSON.stringify(all, null, 1));
    await rename(part, this.#file);
  }

  #key(sha256: string, provider: string): string {
    return [sha256, provider, os.cpus()[0]?.model ?? '', os.availableParallelism(), this.#setting].join('|');
  }

  /** A file that is missing or malformed counts as empty. */
  async #read(): Promise<Record<string, TunedBatch>> {
    try {
      return File.parse(JSON.parse(await readFile(this.#file, 'utf8')));
    } catch {
      return {};
    }
  }
}
