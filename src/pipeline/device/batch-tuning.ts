/** What tuning found, remembered from start to start: one file in the cache, written whole or not at all. */

import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import type { TunedBatch } from './device-model.ts';

const File = z.record(z.string(), z.strictObject({ best: z.int().positive(), loneMs: z.number().positive() }));

export class BatchTuning {
  readonly #file: string;
  /** What else the times depend on. */
  readonly #setting: string;
  #keeping: Promise<void> = Promise.resolve();

  /** @param setting threads, budget and whatever else of the configuration changes what is best. */
  constructor(cacheDir: string, setting: string) {
    this.#file = path.join(cacheDir, 'tuning', 'batches.json');
    this.#setting = setting;
  }

  async find(sha256: string, provider: string): Promise<TunedBatch | null> {
    return (await this.#read())[this.#key(sha256, provider)] ?? null;
  }

  /** What cannot be kept is found anew at the next start. */
  keep(sha256: string, provider: string, fitted: TunedBatch): Promise<void> {
    // One after another: each is added to what the last one wrote.
    this.#keeping = this.#keeping.then(() => this.#write(sha256, provider, fitted)).catch(() => undefined);
    return this.#keeping;
  }

  async #write(sha256: string, provider: string, fitted: TunedBatch): Promise<void> {
    const all = { ...(await this.#read()), [this.#key(sha256, provider)]: fitted };
    await mkdir(path.dirname(this.#file), { recursive: true });
    const part = `${this.#file}.${process.pid}.part`;
    await writeFile(part, JSON.stringify(all, null, 1));
    await rename(part, this.#file);
  }

  #key(sha256: string, provider: string): string {
    return [sha256, provider, os.cpus()[0]?.model ?? '', os.availableParallelism(), this.#setting].join('|');
  }

  /** A file that is not what was written is as good as none: it is found anew. */
  async #read(): Promise<Record<string, TunedBatch>> {
    try {
      return File.parse(JSON.parse(await readFile(this.#file, 'utf8')));
    } catch {
      return {};
    }
  }
}
