/** `faceoff models`: lists the neural models that can be used, downloads them, and checks their files. */

import path from 'node:path';
import { SingleBar } from 'cli-progress';
import { Command } from 'commander';
import { makeFolder } from '../lib/system/make-folder.ts';
import { type Catalogue, type OptionalEntry, readCatalogue } from '../pipeline/models/catalogue.ts';
import { download } from '../pipeline/models/download.ts';
import { differs, digestOf, expectedDigest, recordDigest } from '../pipeline/models/model-store.ts';
import { FaceOffError } from '../shared/errors.ts';
import { askYesNo, type ConfigOptions, configOf, printTable, withConfig } from './options.ts';

interface FetchOptions extends ConfigOptions {
  acceptLicence?: boolean;
}

/** `faceoff models list`, `fetch` and `verify`. */
export function modelsCommand(defaultConfig: string): Command {
  const listing = new Command('list').description('what there is, and what is here');
  const fetching = new Command('fetch').description('fetch models and what they need');
  const verifying = new Command('verify').description('check the files that are here; all of them without a name');
  return new Command('models')
    .description('neural models that can be added: list, fetch, verify')
    .addCommand(withConfig(listing, defaultConfig).action(list))
    .addCommand(
      withConfig(fetching, defaultConfig)
        .argument('<names...>')
        .option('--accept-licence', 'accept the licences without being asked')
        .action(fetchModels),
    )
    .addCommand(withConfig(verifying, defaultConfig).argument('[names...]').action(verify));
}

const catalogueOf = (options: ConfigOptions): Catalogue => readCatalogue(configOf(options).models.dir);

function list(options: ConfigOptions): void {
  const catalogue = catalogueOf(options);
  printTable([
    ...catalogue.models.map(({ name, role, bytes, licence }) => ['comes along', role, name, sizeOf(bytes), licence]),
    ...catalogue.optional.map((entry) => [
      catalogue.has(entry) ? 'here' : entry.url === null ? 'by hand' : 'can be fetched',
      entry.profile.role,
      entry.name,
      sizeOf(entry.bytes),
      entry.licence,
    ]),
  ]);
}

const sizeOf = (bytes: number | null): string =>
  bytes === null ? '' : `${Math.max(1, Math.round(bytes / 2 ** 20))} MB`;

async function fetchModels(names: string[], options: FetchOptions): Promise<void> {
  const catalogue = catalogueOf(options);
  const wanted = new Set(entriesOf(catalogue, names).flatMap((entry) => catalogue.withNeeds(entry)));
  const absent = [...wanted].filter((entry) => !catalogue.has(entry));
  const byHand = absent.find((entry) => entry.url === null);
  if (byHand !== undefined) {
    throw new FaceOffError(
      'not_served',
      `${byHand.name} can be had from nowhere in particular. Place your file as ${catalogue.fileOf(byHand)}.`,
    );
  }
  if (absent.length > 0) await accept(absent, options.acceptLicence === true);
  for (const entry of absent) await fetchOne(catalogue, entry);
  await verify(
    [...wanted].map(({ name }) => name),
    options,
  );
}

/** Prints the licences and asks for consent, unless it was given `already`. @throws FaceOffError `licence_not_accepted`. */
async function accept(entries: readonly OptionalEntry[], already: boolean): Promise<void> {
  for (const { name, licence, commercialUse, bytes } of entries)
    console.log(`${name}  ${sizeOf(bytes)}\n  ${licence}${commercialUse ? '' : '; not for commercial use'}`);
  if (already || (await askYesNo('Accept these licences?')) === true) return;
  throw new FaceOffError(
    'licence_not_accepted',
    'Nothing was fetched. Accept the licences above with --accept-licence.',
  );
}

async function fetchOne(catalogue: Catalogue, entry: OptionalEntry): Promise<void> {
  const file = catalogue.fileOf(entry);
  await makeFolder(path.dirname(file));
  const bar = new SingleBar({ format: ` ${entry.name} {bar} {value}/{total} MB, {eta} s left`, hideCursor: true });
  const mega = (bytes: number): number => Math.round(bytes / 2 ** 20);
  bar.start(mega(entry.bytes ?? 0), 0);
  try {
    const sha256 = await download({
      url: entry.url!,
      file,
      sha256: await expectedDigest(catalogue, entry),
      onProgress: (bytes, total) => {
        bar.setTotal(mega(total ?? entry.bytes ?? bytes));
        bar.update(mega(bytes));
      },
    });
    if (entry.sha256 === null) await recordDigest(catalogue, entry, sha256);
  } finally {
    bar.stop();
  }
}

async function verify(names: string[], options: ConfigOptions): Promise<void> {
  const catalogue = catalogueOf(options);
  const entries =
    names.length > 0 ? entriesOf(catalogue, names) : catalogue.optional.filter((one) => catalogue.has(one));
  const wrong: string[] = [];
  for (const entry of entries) {
    const verdict = await check(catalogue, entry).catch((error: unknown) => {
      if (!(error instanceof FaceOffError)) throw error;
      wrong.push(error.message);
      return 'wrong';
    });
    console.log(`${entry.name}: ${verdict}`);
  }
  if (names.length === 0) for (const entry of catalogue.models) catalogue.read(entry);
  if (wrong.length > 0) throw new FaceOffError('model_differs', wrong.join('\n'));
}

/** A verdict for people. @throws FaceOffError `model_missing`, `model_differs`. */
async function check(catalogue: Catalogue, entry: OptionalEntry): Promise<string> {
  const file = catalogue.fileOf(entry);
  if (!catalogue.has(entry)) throw new FaceOffError('model_missing', `${file} is not there.`);
  const sha256 = await digestOf(file);
  const expected = await expectedDigest(catalogue, entry);
  if (expected === null) {
    await recordDigest(catalogue, entry, sha256);
    return `sha256 ${sha256}, recorded: none was published`;
  }
  if (sha256 !== expected) throw differs(file, sha256, expected, entry.name);
  return 'as it should be';
}

/** @throws FaceOffError `unknown_model`, naming those there are. */
function entriesOf(catalogue: Catalogue, names: readonly string[]): OptionalEntry[] {
  return names.map((name) => {
    const entry = catalogue.optional.find((one) => one.name === name);
    if (entry !== undefined) return entry;
    const all = catalogue.optional.map((one) => one.name).join(', ');
    throw new FaceOffError('unknown_model', `There is no model ${name} to add. Those there are: ${all}.`);
  });
}
