/** `faceoff models`: what can be used, fetching it, and checking it. */

import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline/promises';
import { SingleBar } from 'cli-progress';
import { Command } from 'commander';
import { loadConfig } from '../config.ts';
import { type Catalogue, type OptionalEntry, readCatalogue } from '../pipeline/models/catalogue.ts';
import { download } from '../pipeline/models/download.ts';
import { differs, digestOf, expectedDigest, recordDigest } from '../pipeline/models/model-store.ts';
import { FaceOffError } from '../shared/errors.ts';

interface Options {
  config: string;
  set: string[];
  acceptLicence?: boolean;
}

const collect = (value: string, all: string[]): string[] => [...all, value];

export function modelsCommand(defaultConfig: string): Command {
  const common = (command: Command): Command =>
    command
      .option('--config <file>', 'configuration file', defaultConfig)
      .option('--set <section.key=value>', 'one setting; may be given several times', collect, []);
  return new Command('models')
    .description('neural models that can be added: list, fetch, verify')
    .addCommand(common(new Command('list').description('what there is, and what is here')).action(list))
    .addCommand(
      common(new Command('fetch').description('fetch models and what they need'))
        .argument('<names...>')
        .option('--accept-licence', 'accept the licences without being asked')
        .action(fetchModels),
    )
    .addCommand(
      common(new Command('verify').description('check the files that are here; all of them without a name'))
        .argument('[names...]')
        .action(verify),
    );
}

const catalogueOf = ({ config, set }: Options): Catalogue =>
  readCatalogue(loadConfig({ file: config, env: process.env, set }).models.dir);

function list(options: Options): void {
  const catalogue = catalogueOf(options);
  const rows = [
    ...catalogue.models.map(({ name, role, bytes, licence }) => ['comes along', role, name, sizeOf(bytes), licence]),
    ...catalogue.optional.map((entry) => [
      catalogue.has(entry) ? 'here' : entry.url === null ? 'by hand' : 'can be fetched',
      entry.profile.role,
      entry.name,
      sizeOf(entry.bytes),
      entry.licence,
    ]),
  ];
  const widths = [0, 1, 2, 3].map((k) => Math.max(...rows.map((row) => row[k]!.length)));
  for (const row of rows)
    console.log(
      row
        .map((cell, k) => cell.padEnd(widths[k] ?? 0))
        .join('  ')
        .trimEnd(),
    );
}

const sizeOf = (bytes: number | null): string =>
  bytes === null ? '' : `${Math.max(1, Math.round(bytes / 2 ** 20))} MB`;

async function fetchModels(names: string[], options: Options): Promise<void> {
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

/** @throws FaceOffError `licence_not_accepted`. */
async function accept(entries: readonly OptionalEntry[], already: boolean): Promise<void> {
  for (const { name, licence, commercialUse, bytes } of entries)
    console.log(`${name}  ${sizeOf(bytes)}\n  ${licence}${commercialUse ? '' : '; not for commercial use'}`);
  if (already) return;
  const refusal = new FaceOffError(
    'licence_not_accepted',
    'Nothing was fetched. Accept the licences above with --accept-licence.',
  );
  if (!process.stdin.isTTY) throw refusal;
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await lines.question('Accept these licences? [y/N] ').finally(() => lines.close());
  if (!/^y(es)?$/i.test(answer.trim())) throw refusal;
}

async function fetchOne(catalogue: Catalogue, entry: OptionalEntry): Promise<void> {
  const file = catalogue.fileOf(entry);
  await mkdir(path.dirname(file), { recursive: true });
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

async function verify(names: string[], options: Options): Promise<void> {
  const catalogue = catalogueOf(options);
  const entries =
    names.length > 0 ? entriesOf(catalogue, names) : catalogue.optional.filter((one) => catalogue.has(one));
  const wrong: string[] = [];
  for (const entry of entries) {
    const said = await check(catalogue, entry).catch((error: unknown) => {
      if (!(error instanceof FaceOffError)) throw error;
      wrong.push(error.message);
      return 'wrong';
    });
    console.log(`${entry.name}: ${said}`);
  }
  if (names.length === 0) for (const entry of catalogue.models) catalogue.read(entry);
  if (wrong.length > 0) throw new FaceOffError('model_differs', wrong.join('\n'));
}

async function check(catalogue: Catalogue, entry: OptionalEntry): Promise<string> {
  const file = catalogue.fileOf(entry);
  if (!catalogue.has(entry)) throw new FaceOffError('model_missing', `${file} is not there.`);
  const [sha256, expected] = [await digestOf(file), await expectedDigest(catalogue, entry)];
  if (expected === null) {
    await recordDigest(catalogue, entry, sha256);
    return `sha256 ${sha256}, recorded: nobody published one`;
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
