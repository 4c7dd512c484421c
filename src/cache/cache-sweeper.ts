/** The cache of a running server: marks what the server needs as in use, and sweeps by schedule. */

import type { Config } from '../config.ts';
import type { Logger } from '../lib/log.ts';
import { sweep } from './cleanup.ts';
import { CacheLeases } from './leases.ts';

/** Folders that a server may need at any moment. */
const ALWAYS = ['gpu'];

/** Sweeps when it starts and every `cache.cleanIntervalMs`. Runs on the main thread. */
export class CacheSweeper {
  /** The leases of this process; the module that opens an item takes one. */
  readonly use: CacheLeases;
  readonly #cacheDir: string;
  readonly #limits: Config['cache'];
  readonly #log: Logger;
  #timer: NodeJS.Timeout;
  #intervalMs: number;
  #sweeping: Promise<void> = Promise.resolve();
  /** Whether it was said that the folder cannot be written. */
  #isTold = false;

  private constructor({ models, cache }: Pick<Config, 'models' | 'cache'>, log: Logger) {
    this.#cacheDir = models.cacheDir;
    this.#limits = cache;
    this.#log = log;
    this.use = new CacheLeases(models.cacheDir, (error) => {
      if (this.#isTold) return;
      this.#isTold = true;
      log.warn(
        { folder: models.cacheDir, code: (error as NodeJS.ErrnoException).code },
        'models.cacheDir cannot be written: what it would keep is made again at each start',
      );
    });
    this.#intervalMs = cache.cleanIntervalMs;
    this.#timer = this.#schedule();
  }

  static async start(config: Pick<Config, 'models' | 'cache'>, log: Logger): Promise<CacheSweeper> {
    const sweeper = new CacheSweeper(config, log);
    for (const at of ALWAYS) await sweeper.use.hold(at);
    sweeper.#sweep();
    return sweeper;
  }

  /** Takes a changed `cache.cleanIntervalMs` over; the interval begins anew. */
  reschedule(): void {
    if (this.#intervalMs === this.#limits.cleanIntervalMs) return;
    this.#intervalMs = this.#limits.cleanIntervalMs;
    clearInterval(this.#timer);
    this.#timer = this.#schedule();
  }

  /** Idempotent. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sweeping;
    await this.use.close();
  }

  #schedule(): NodeJS.Timeout {
    return setInterval(() => this.#sweep(), this.#intervalMs).unref();
  }

  /** One sweep at a time; a failure is logged and has no other effect. */
  #sweep(): void {
    this.#sweeping = this.#sweeping
      .then(async () => {
        const gone = await sweep(this.#cacheDir, this.#limits);
        const bytes = gone.reduce((sum, item) => sum + item.bytes, 0);
        if (gone.length > 0) this.#log.info({ items: gone.length, mb: Math.round(bytes / 2 ** 20) }, 'cache cleaned');
      })
      .catch((error: unknown) => this.#log.warn({ error: String(error) }, 'the cache cannot be cleaned'));
  }
}
