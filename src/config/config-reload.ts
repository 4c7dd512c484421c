/** Takes a changed config.yaml over into a running server, when its file changes and when a person asks for it. */

import type { Config } from '../config.ts';
import type { Logger } from '../lib/log.ts';
import { SerialQueue } from '../lib/serial.ts';
import { FileWatch } from '../lib/system/file-watch.ts';
import { FaceOffError } from '../shared/errors.ts';
import type { ConfigInForce, Reloaded } from './config-in-force.ts';

/** How a server takes a configuration over. */
export interface ConfigUse {
  /** Refuses what cannot be used, as the start does. */
  check(next: Config): Promise<void>;
  /** Tells the parts that keep values of live settings. Called after each reload, also of an unchanged file. */
  apply(): void;
}

/** Reads the file again when it has changed, and on request; one line in the log tells what came of it. */
export class ConfigReload {
  readonly #inForce: ConfigInForce;
  readonly #log: Logger;
  #use: ConfigUse | null = null;
  readonly #watch: FileWatch;
  /** One reload after another. */
  readonly #reloads = new SerialQueue();

  /** Made right after the configuration was read, so that no change is missed while the server starts. */
  constructor(inForce: ConfigInForce, log: Logger) {
    this.#inForce = inForce;
    this.#log = log;
    this.#watch = new FileWatch(inForce.file, () => void this.now());
  }

  /** Watches the file from now on. */
  start(use: ConfigUse): void {
    this.#use = use;
    this.#watch.start();
  }

  /** Reads the file now; does nothing before `start`. Never throws. */
  now(): Promise<void> {
    return this.#reloads.run(async () => {
      if (this.#use === null) return;
      const { check, apply } = this.#use;
      const log = this.#log;
      this.#watch.take();
      try {
        const reloaded = await this.#inForce.reload(check);
        apply();
        const text = outcomeOf(reloaded);
        if (reloaded.waiting.length > 0) log.warn(reloaded, text);
        else log.info(reloaded, text);
      } catch (error) {
        const text = error instanceof FaceOffError ? error.message : String(error);
        log.error(`${text}\n  What is in force stays.`);
      }
    });
  }

  /** Idempotent. */
  close(): void {
    this.#watch.close();
  }
}

function outcomeOf({ taken, waiting }: Reloaded): string {
  const now = taken.length === 0 ? 'nothing has changed' : `in force from now on: ${taken.join(', ')}`;
  const later = waiting.length === 0 ? '' : `; needs a restart: ${waiting.join(', ')}`;
  return `configuration read again; ${now}${later}`;
}
