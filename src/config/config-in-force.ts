/**
 * The configuration that a server runs with. It is one object that all parts of the server share; reading the file again
 * changes the live settings in it, all of them or none.
 */

import { isDeepStrictEqual } from 'node:util';
import {
  type Config,
  type ConfigSources,
  defaultConfig,
  disagreements,
  type LoadedConfig,
  liveSettings,
  readConfig,
  settingPaths,
} from '../config.ts';
import { FaceOffError } from '../shared/errors.ts';
import type { ConfigReport, SettingReport } from '../shared/messages.ts';
import { configError } from './config-errors.ts';
import { withoutSecrets } from './secret-settings.ts';

/** What reading the file again changed, by `section.key`. */
export interface Reloaded {
  /** Settings that have new values now. */
  taken: string[];
  /** Settings whose values in the file are not those in force: they need a restart. */
  waiting: string[];
}

/** The value of `section.key`. */
export const settingOf = (config: Config, key: string): unknown => {
  const [section, name] = key.split('.') as [keyof Config, string];
  return (config[section] as Record<string, unknown>)[name];
};

function assign(config: Config, key: string, value: unknown): void {
  const [section, name] = key.split('.') as [keyof Config, string];
  (config[section] as Record<string, unknown>)[name] = value;
}

/** Holds the configuration in force, and knows the origin of each value. */
export class ConfigInForce {
  /** Shared by all parts; those that keep a value of a live setting for longer are told when it changes. */
  readonly config: Config;
  readonly #sources: ConfigSources;
  readonly #defaults: Config;
  #origins: LoadedConfig['origins'];
  #hasFile: boolean;
  #waiting: ReadonlySet<string> = new Set();
  /** When a live setting got its present value, in a running server. */
  readonly #takenAt = new Map<string, Date>();
  #refused: string | null = null;

  private constructor(sources: ConfigSources, { config, defaults, origins, hasFile }: LoadedConfig) {
    this.#sources = sources;
    this.#defaults = defaults;
    this.config = config;
    this.#origins = origins;
    this.#hasFile = hasFile;
  }

  /** Reads the sources. @throws FaceOffError `bad_config`. */
  static read(sources: ConfigSources): ConfigInForce {
    return new ConfigInForce(sources, readConfig(sources));
  }

  /** A configuration that a program has made itself. */
  static of(config: Config): ConfigInForce {
    return new ConfigInForce(
      { file: '' },
      {
        config,
        defaults: defaultConfig(),
        origins: new Map(),
        hasFile: false,
      },
    );
  }

  /** Path of the file, as it was named. */
  get file(): string {
    return this.#sources.file;
  }

  /**
   * Reads the file again, the environment and the command line still before it, and takes over what can change live.
   * @param check refuses what the schema lets through; it gets the configuration as it would be then.
   * @throws FaceOffError `bad_config`, and what `check` throws; nothing is changed then. A file that was there and is
   *   gone is refused, too.
   */
  async reload(check: (next: Config) => Promise<void>): Promise<Reloaded> {
    try {
      const reloaded = await this.#reload(check);
      this.#refused = null;
      return reloaded;
    } catch (error) {
      this.#refused = error instanceof FaceOffError ? error.message : String(error);
      throw error;
    }
  }

  /** Every setting in force with its origin, secrets left out. */
  report(): ConfigReport {
    const shown = withoutSecrets(this.config);
    const live = liveSettings();
    const settings = settingPaths().map((key): [string, SettingReport] => {
      const { from, at } = this.#origins.get(key) ?? { from: 'default', at: null };
      const takenAt = this.#takenAt.get(key);
      return [
        key,
        {
          value: settingOf(shown, key),
          isDefault: isDeepStrictEqual(settingOf(this.config, key), settingOf(this.#defaults, key)),
          from,
          at,
          live: live.has(key),
          takenAt: takenAt?.toISOString() ?? null,
          needsRestart: this.#waiting.has(key),
        },
      ];
    });
    return {
      file: this.#hasFile ? this.file : null,
      refused: this.#refused,
      settings: Object.fromEntries(settings),
    };
  }

  async #reload(check: (next: Config) => Promise<void>): Promise<Reloaded> {
    const { isRequired = false } = this.#sources;
    const loaded = readConfig({ ...this.#sources, isRequired: isRequired || this.#hasFile });
    const live = liveSettings();
    const changed = settingPaths().filter(
      (key) => !isDeepStrictEqual(settingOf(loaded.config, key), settingOf(this.config, key)),
    );
    const taken = changed.filter((key) => live.has(key));
    const waiting = changed.filter((key) => !live.has(key));
    const next = structuredClone(this.config);
    for (const key of taken) assign(next, key, settingOf(loaded.config, key));
    const wrong = disagreements(next);
    if (wrong.length > 0) throw configError(wrong);
    await check(next);
    for (const key of taken) {
      assign(this.config, key, settingOf(next, key));
      this.#takenAt.set(key, new Date());
    }
    this.#waiting = new Set(waiting);
    const origins = new Map(loaded.origins);
    for (const key of waiting) {
      const before = this.#origins.get(key);
      if (before === undefined) origins.delete(key);
      else origins.set(key, before);
    }
    this.#origins = origins;
    this.#hasFile = loaded.hasFile;
    return { taken, waiting };
  }
}
