/** A running server's hand on its cache: what it uses stays, what is beyond the limits goes, now and then. */

import type { Config } from '../config.ts';
import type { Logger } from '../lib/log.ts';
import { sweep } from './cleanup.ts';
import { CacheLeases } from './leases.ts';

/** What a server may need at any moment. */
const ALWAYS = ['faces', 'gpu', 'https-certificate.pem', 'https-key.pem'];

export class CacheSweeper {
  /** Where whoever loads an item says so. */
  readonly use: CacheLeases;
  readonly #cacheDir: string;
  readonly #limits: Config['cache'];
  readonly #log: Logger;
  readonly #timer: NodeJS.Timeout;
  #sweeping: Promise<void> = Promise.resolve();

  private constructor({ models, cache }: Pick<Config, 'models' | 'cache'>, log: Logger) {
    this.#cacheDir = models.cacheDir;
    this.#limits = cache;
    this.#log = log;
    this.use = new CacheLeases(models.cacheDir);
    this.#timer = setInterval(() => this.#sweep(), cache.cleanIntervalMs).unref();
  }

  static async start(config: Pick<Config, 'models' | 'cache'>, log: Logger): Promise<CacheSweeper> {
    const sweeper = new CacheSweeper(config, log);
    for (const at of ALWAYS) await sweeper.use.hold(at);
    sweeper.#sweep();
    return sweeper;
  }

  /** Idempotent. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sweeping;
    await this.use.close();
  }

  /** One at a time; a failure is told and harms nothing. */
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
