/** The catalogue of models: models.yaml, validated, and the files beside it. */

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { load } from 'js-yaml';
import { z } from 'zod';
import { shippedModels } from '../../lib/installation.ts';
import { FaceOffError } from '../../shared/errors.ts';
import { Profile, type ProfileOf } from './profiles.ts';

const Tensor = z.strictObject({
  name: z.string(),
  shape: z.array(z.number().int().positive()),
  meaning: z.string(),
});

const Entry = z.strictObject({
  name: z.string(),
  /** The pipeline looks models up by role. */
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

const Optional = z.strictObject({
  /** Value of `swap.engine`, `restoration.model` or `swap.mask` that selects the model. */
  name: z.string().regex(/^[a-z0-9][a-z0-9_.-]{0,63}$/),
  /** File name in the folder `optional` beside models.yaml. */
  file: z.string().regex(/^[\w.-]+$/),
  /** Where `faceoff models fetch` downloads it from; null where it has to be placed by hand. */
  url: z.url({ protocol: /^https?$/ }).nullable(),
  /**
   * Null where none is published: the digest of the first file fetched or verified is recorded then (model-store.ts).
   */
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
  bytes: z.int().positive().nullable(),
  licence: z.string(),
  commercialUse: z.boolean(),
  profile: Profile,
});

const File = z.strictObject({ models: z.array(Entry).default([]), optional: z.array(Optional).default([]) });

/** A model that FaceOff ships. */
export type ModelEntry = z.infer<typeof Entry>;
/** A model that users can add. */
export type OptionalEntry = z.infer<typeof Optional>;
/** An optional model whose profile has a role. */
export type EntryOf<R extends Profile['role']> = OptionalEntry & { profile: ProfileOf<R> };

/** Folder of the added models, beside models.yaml. */
const ADDED = 'optional';

/** The models of a folder: those shipped, and those that can be added. */
export class Catalogue {
  /** models.dir, which holds the added models. */
  readonly folder: string;
  /** Folder of the models that FaceOff comes with; the same one, but for an installed package. */
  readonly shipped: string;
  readonly models: readonly ModelEntry[];
  readonly optional: readonly OptionalEntry[];

  constructor(folder: string, models: readonly ModelEntry[], optional: readonly OptionalEntry[] = []) {
    this.folder = folder;
    this.shipped = shippedModels(folder);
    this.models = models;
    this.optional = optional;
  }

  /**
   * The optional model of a name and role.
   * @throws FaceOffError `unknown_model` (404), listing the known ones.
   */
  named<R extends Profile['role']>(name: string, role: R): EntryOf<R> {
    const ofRole = this.optional.filter((entry) => entry.profile.role === role);
    const entry = ofRole.find((one) => one.name === name);
    if (entry === undefined) {
      const names = ofRole.map((one) => one.name).join(', ');
      throw new FaceOffError('unknown_model', `There is no ${role} "${name}". Those there are: ${names}.`);
    }
    return entry as EntryOf<R>;
  }

  /** An optional model, followed by the models that its source recipe needs. */
  withNeeds(entry: OptionalEntry): OptionalEntry[] {
    const { profile } = entry;
    if (profile.role !== 'generator' || profile.source.kind !== 'embedding') return [entry];
    const { recogniser, converter } = profile.source;
    const needs: OptionalEntry[] = [entry, this.named(recogniser, 'recogniser')];
    if (converter !== undefined) needs.push(this.named(converter, 'converter'));
    return needs;
  }

  /** Path of an optional model's file, whether it is there or not. */
  fileOf(entry: OptionalEntry): string {
    return path.join(this.folder, ADDED, entry.file);
  }

  /** Whether an optional model's file is there. */
  has(entry: OptionalEntry): boolean {
    return existsSync(this.fileOf(entry));
  }

  /** The shipped model of a role. @throws FaceOffError `unknown_model`. */
  forRole(role: string): ModelEntry {
    const entry = this.models.find((model) => model.role === role);
    if (entry === undefined) {
      throw new FaceOffError(
        'bad_catalogue',
        `${this.#at('models.yaml')} names no model for the role ${role}. Restore the file.`,
      );
    }
    return entry;
  }

  /**
   * The bytes of a shipped model's file, checked against its digest. Blocks the thread.
   * @throws FaceOffError `shipped_model_missing`, `model_differs`.
   */
  read(entry: ModelEntry): Uint8Array {
    const file = this.#at(entry.file);
    const isConverted = entry.source.startsWith('npm ');
    const again = isConverted ? ', or make it again with `npm run models:convert`' : '';
    const restore = `Restore it with \`git checkout -- models\`${again}.`;
    let bytes: Buffer;
    try {
      bytes = readFileSync(file);
    } catch (cause) {
      throw new FaceOffError('shipped_model_missing', `${file} cannot be read. ${restore}`, { cause });
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
    return path.join(this.shipped, file);
  }
}

/**
 * Reads the catalogue: shipped models, those that can be added, and the user's own entries in `optional/models.yaml`.
 * @throws FaceOffError `bad_catalogue` when a file is missing or invalid.
 */
export function readCatalogue(folder: string): Catalogue {
  const { models, optional } = readFile(
    path.join(shippedModels(folder), 'models.yaml'),
    'Restore it with `git checkout -- models`.',
  );
  const own = path.join(folder, ADDED, 'models.yaml');
  const added = existsSync(own) ? readFile(own, 'Mend it, or take it away.').optional : [];
  // A user's own entry replaces the one of the same name.
  const others = optional.filter(({ name }) => added.every((one) => one.name !== name));
  return new Catalogue(folder, models, [...added, ...others]);
}

function readFile(file: string, remedy: string): z.infer<typeof File> {
  try {
    return File.parse(load(readFileSync(file, 'utf8')));
  } catch (cause) {
    const why = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause);
    throw new FaceOffError('bad_catalogue', `${file} cannot be used: ${why}. ${remedy}`, { cause });
  }
}
