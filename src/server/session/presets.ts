/** Settings under names people gave them: `/api/presets`, kept in cache/presets.json, which is replaced as a whole. */

import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Config } from '../../config.ts';
import type { Logger } from '../../lib/log.ts';
import { FaceOffError } from '../../shared/errors.ts';
import type { PresetInfo } from '../../shared/messages.ts';
import { jsonOf, takeAnyBody } from '../http/json-body.ts';
import { presetFrom, presetSchema } from './session-settings.ts';

/** Part of an address, and a label on a key. */
const NAME = /^(?!\.+$)(?! )[^\p{Cc}\p{Cs}/\\]{1,40}(?<! )$/u;

const Kept = z.array(z.strictObject({ name: z.string().regex(NAME), settings: presetSchema }));

export class PresetStore {
  readonly #file: string;
  readonly #most: number;
  /** In the order they were first saved, which is that of the keys 1 to 9. */
  #presets: readonly PresetInfo[] = [];
  /** One change waits for the other. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor({ models, limits }: Config) {
    this.#file = path.join(models.cacheDir, 'presets.json');
    this.#most = limits.presets;
  }

  /** Reads what is there. A file that makes no sense is put aside, not lost, with a warning. */
  static async open(config: Config, log: Logger): Promise<PresetStore> {
    const presets = new PresetStore(config);
    const file = presets.#file;
    if (!existsSync(file)) return presets;
    try {
      presets.#presets = Kept.parse(JSON.parse(await readFile(file, 'utf8'))) as PresetInfo[];
    } catch (error) {
      const aside = `${file}.unread`;
      // Where nothing can be written nothing can be written over either.
      await rename(file, aside).catch(() => undefined);
      log.warn({ file: aside, error: String(error).slice(0, 300) }, 'presets cannot be read; the file was put aside');
    }
    return presets;
  }

  list(): PresetInfo[] {
    return [...this.#presets];
  }

  /** @throws FaceOffError `unknown_preset` (404). */
  get(name: string): PresetInfo {
    const found = this.#presets.find((preset) => preset.name === name);
    if (found !== undefined) return found;
    throw new FaceOffError(
      'unknown_preset',
      `There is no preset "${name.slice(0, 64)}". GET /api/presets lists those there are.`,
      {
        status: 404,
      },
    );
  }

  /**
   * Saves a new one, or others under a name there is.
   * @throws FaceOffError `bad_name` (400), `too_many_presets`, `not_saved` (507), and changes nothing.
   */
  save(preset: PresetInfo): Promise<PresetInfo> {
    return this.#inTurn(async () => {
      if (!NAME.test(preset.name))
        throw new FaceOffError(
          'bad_name',
          'A preset’s name has 1 to 40 characters, without slashes, and no space at its ends.',
          {
            status: 400,
          },
        );
      const at = this.#presets.findIndex(({ name }) => name === preset.name);
      if (at < 0 && this.#presets.length >= this.#most)
        throw new FaceOffError(
          'too_many_presets',
          `There are already ${this.#most} presets. Delete one first, or raise limits.presets.`,
          {
            status: 507,
          },
        );
      await this.#keep(at < 0 ? [...this.#presets, preset] : this.#presets.with(at, preset));
      return preset;
    });
  }

  /** @throws FaceOffError `unknown_preset` (404), `not_saved` (507). */
  remove(name: string): Promise<void> {
    return this.#inTurn(async () => {
      const preset = this.get(name);
      await this.#keep(this.#presets.filter((other) => other !== preset));
    });
  }

  async #keep(presets: readonly PresetInfo[]): Promise<void> {
    const aside = `${this.#file}.part`;
    try {
      await mkdir(path.dirname(this.#file), { recursive: true });
      await writeFile(aside, `${JSON.stringify(presets, null, 2)}\n`);
      await rename(aside, this.#file);
    } catch (cause) {
      const why = (cause as NodeJS.ErrnoException).code ?? String(cause);
      throw new FaceOffError(
        'not_saved',
        `The presets could not be written to models.cacheDir (${why}); they are as before.`,
        {
          ...{ status: 507, cause },
        },
      );
    }
    this.#presets = presets;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}

/** A plugin, for its way with bodies. */
export function presetRoutes(app: FastifyInstance, presets: PresetStore, onChange: () => void): void {
  takeAnyBody(app);
  app.get('/api/presets', async () => presets.list());

  app.put<{ Params: { name: string } }>('/api/presets/:name', async (request) => {
    const { name } = request.params;
    const saved = await presets.save({ name, settings: presetFrom(jsonOf(request)) });
    onChange();
    return saved;
  });

  app.delete<{ Params: { name: string } }>('/api/presets/:name', async (request, reply) => {
    await presets.remove(request.params.name);
    onChange();
    return reply.code(204).send();
  });
}
