import { existsSync } from 'node:fs';
import { readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { Config } from '../../config.ts';
import type { Logger } from '../../lib/log.ts';
import { SerialQueue } from '../../lib/serial.ts';
import { makeFolder } from '../../lib/system/make-folder.ts';
import { notSaved, writeWhole } from '../../lib/system/whole-file.ts';
import { FaceOffError } from '../../shared/errors.ts';
import type { PresetInfo } from '../../shared/messages.ts';
import { presetSchema } from './session-settings.ts';

/** A preset's name is part of an address, and a label on a key. */
const NAME = /^(?!\.+$)(?! )[^\p{Cc}\p{Cs}/\\]{1,40}(?<! )$/u;

/** Settings as files hold them; those of before may have the mark, which no preset switches any more. */
const Kept = z.preprocess((given) => {
  if (typeof given !== 'object' || given === null) return given;
  const { badge: _, ...settings } = given as { badge?: unknown };
  return settings;
}, presetSchema);

const File = z.array(z.strictObject({ name: z.string().regex(NAME), settings: Kept }));

/** Named settings, kept in presets.json in `storage.dir`; every change replaces the whole file. */
export class PresetStore {
  readonly #file: string;
  readonly #limits: Config['limits'];
  /** In the order in which they were first saved, which is that of the keys 1 to 9. */
  #presets: readonly PresetInfo[] = [];
  /** Makes changes one after another. */
  readonly #changes = new SerialQueue();

  private constructor({ storage, limits }: Config) {
    this.#file = path.join(storage.dir, 'presets.json');
    this.#limits = limits;
  }

  /** Reads the file. An unreadable file is renamed, so that it is not lost, and a warning is logged. */
  static async open(config: Config, log: Logger): Promise<PresetStore> {
    const presets = new PresetStore(config);
    const file = presets.#file;
    if (!existsSync(file)) return presets;
    try {
      presets.#presets = File.parse(JSON.parse(await readFile(file, 'utf8'))) as PresetInfo[];
    } catch (error) {
      const aside = `${file}.unread`;
      // Where the rename fails, a later write would fail too: the file stays.
      await rename(file, aside).catch(() => undefined);
      log.warn({ file: aside, error: String(error).slice(0, 300) }, 'presets cannot be read; the file was put aside');
    }
    return presets;
  }

  /** All presets, in the order in which they were first saved. */
  list(): PresetInfo[] {
    return [...this.#presets];
  }

  /** The preset with this name. @throws FaceOffError `unknown_preset` (404). */
  get(name: string): PresetInfo {
    const found = this.#presets.find((preset) => preset.name === name);
    if (found !== undefined) return found;
    throw new FaceOffError(
      'unknown_preset',
      `There is no preset "${name.slice(0, 64)}". GET /api/presets lists those there are.`,
    );
  }

  /**
   * Adds a preset, or replaces the one with its name.
   * @throws FaceOffError `bad_name` (400), `too_many_presets`, `not_saved` (507), and changes nothing.
   */
  save(preset: PresetInfo): Promise<PresetInfo> {
    return this.#changes.run(async () => {
      if (!NAME.test(preset.name))
        throw new FaceOffError(
          'bad_name',
          'A preset’s name has 1 to 40 characters, without slashes, and no space at its ends.',
        );
      const at = this.#presets.findIndex(({ name }) => name === preset.name);
      if (at < 0 && this.#presets.length >= this.#limits.presets)
        throw new FaceOffError(
          'too_many_presets',
          `There are already ${this.#limits.presets} presets. Delete one first, or raise limits.presets.`,
        );
      await this.#write(at < 0 ? [...this.#presets, preset] : this.#presets.with(at, preset));
      return preset;
    });
  }

  /** Deletes a preset. @throws FaceOffError `unknown_preset` (404), `not_saved` (507), and changes nothing. */
  remove(name: string): Promise<void> {
    return this.#changes.run(async () => {
      const preset = this.get(name);
      await this.#write(this.#presets.filter((other) => other !== preset));
    });
  }

  /**
   * Takes a face that is gone out of all presets; what else they hold stays.
   * @returns whether any had it. @throws FaceOffError `not_saved` (507), and changes nothing.
   */
  forgetFace(id: string): Promise<boolean> {
    return this.#changes.run(async () => {
      if (!this.#presets.some(({ settings }) => settings.face === id)) return false;
      await this.#write(
        this.#presets.map(({ name, settings: { face, ...others } }) => ({
          name,
          settings: face === undefined || face === id ? others : { face, ...others },
        })),
      );
      return true;
    });
  }

  /**
   * Takes a background picture that is gone out of all presets; what else they hold stays.
   * @returns whether any had it. @throws FaceOffError `not_saved` (507), and changes nothing.
   */
  forgetBackground(id: string): Promise<boolean> {
    return this.#changes.run(async () => {
      if (!this.#presets.some(({ settings }) => settings.backgroundPicture === id)) return false;
      await this.#write(
        this.#presets.map(({ name, settings }) => ({
          name,
          settings: settings.backgroundPicture === id ? { ...settings, backgroundPicture: null } : settings,
        })),
      );
      return true;
    });
  }

  async #write(presets: readonly PresetInfo[]): Promise<void> {
    try {
      await makeFolder(path.dirname(this.#file));
      await writeWhole(this.#file, `${JSON.stringify(presets, null, 2)}\n`);
    } catch (cause) {
      throw notSaved('The presets', cause);
    }
    this.#presets = presets;
  }
}
