/** What models there are: models.yaml, read, checked and tied to the files beside it. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { load } from 'js-yaml';
import { z } from 'zod';
import { FaceOffError } from '../../errors.ts';

const Tensor = z.strictObject({
  name: z.string(),
  shape: z.array(z.number().int().positive()),
  meaning: z.string(),
});

const Entry = z.strictObject({
  name: z.string(),
  /** What the pipeline asks for it by. */
  role: z.string(),
  file: z.string(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: z.number().int().positive(),
  licence: z.string(),
  commercialUse: z.boolean(),
  source: z.string(),
  inputs: z.array(Tensor),
  outputs: z.array(Tensor),
});

const File = z.strictObject({ models: z.array(Entry) });

export type ModelEntry = z.infer<typeof Entry>;

export class Catalogue {
  readonly folder: string;
  readonly models: readonly ModelEntry[];

  constructor(folder: string, models: readonly ModelEntry[]) {
    this.folder = folder;
    this.models = models;
  }

  /** @throws FaceOffError `unknown_model`. */
  forRole(role: string): ModelEntry {
    const entry = this.models.find((model) => model.role === role);
    if (entry === undefined) {
      throw new FaceOffError(
        'unknown_model',
        `${this.#at('models.yaml')} names no model for the role ${role}. Restore the file.`,
      );
    }
    return entry;
  }

  /**
   * The model's file, read and found to be the one FaceOff was released with.
   * @throws FaceOffError `model_missing`, `model_differs`: what happened and what to do.
   */
  read(entry: ModelEntry): Uint8Array {
    const file = this.#at(entry.file);
    const restore = 'Restore it with `git checkout -- models`, or make it again with `npm run models:convert`.';
    let bytes: Buffer;
    try {
      bytes = readFileSync(file);
    } catch (cause) {
      throw new FaceOffError('model_missing', `${file} cannot be read. ${restore}`, { cause });
    }
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    if (sha256 !== entry.sha256) {
      throw new FaceOffError(
        'model_differs',
        `${file} is not the file FaceOff was released with: its sha256 is ${sha256}, not ${entry.sha256}. ${restore}`,
      );
    }
    return bytes;
  }

  #at(file: string): string {
    return path.join(this.folder, file);
  }
}

/** @throws FaceOffError `bad_catalogue` when models.yaml is missing or not what it should be. */
export function readCatalogue(folder: string): Catalogue {
  const file = path.join(folder, 'models.yaml');
  try {
    return new Catalogue(folder, File.parse(load(readFileSync(file, 'utf8'))).models);
  } catch (cause) {
    const why = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause);
    throw new FaceOffError(
      'bad_catalogue',
      `${file} cannot be used: ${why}. Restore it with \`git checkout -- models\`.`,
      { cause },
    );
  }
}
