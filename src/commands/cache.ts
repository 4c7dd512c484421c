/** `faceoff cache`: what lies in the cache, and emptying it. */

import { createInterface } from 'node:readline/promises';
import { Command } from 'commander';
import { itemsOf, KINDS } from '../cache/cache-kinds.ts';
import { kindNamed, reportOf } from '../cache/cache-report.ts';
import { clear } from '../cache/cleanup.ts';
import { loadConfig } from '../config.ts';
import { FaceOffError } from '../shared/errors.ts';

interface Options {
  config: string;
  set: string[];
  faces?: boolean;
  yes?: boolean;
}

const collect = (value: string, all: string[]): string[] => [...all, value];

export function cacheCommand(defaultConfig: string): Command {
  const common = (command: Command): Command =>
    command
      .option('--config <file>', 'configuration file', defaultConfig)
      .option('--set <section.key=value>', 'one setting; may be given several times', collect, []);
  return new Command('cache')
    .description('what is kept in models.cacheDir: info, clear')
    .addCommand(common(new Command('info').description('kinds, sizes, and when each was last used')).action(info))
    .addCommand(
      common(new Command('clear').description('delete one kind, or all but faces; what a running server uses stays'))
        .argument('[kind]', KINDS.map(({ name }) => name).join(', '))
        .option('--faces', 'the faces that people added as well')
        .option('--yes', 'delete faces without being asked')
        .action(clearKinds),
    );
}

const cacheDirOf = ({ config, set }: Options): string =>
  loadConfig({ file: config, env: process.env, set }).models.cacheDir;

async function info(options: Options): Promise<void> {
  const cacheDir = cacheDirOf(options);
  const rows = (await reportOf(cacheDir)).map(({ kind, items, bytes, usedAt, inUse, meaning }) => [
    kind,
    String(items),
    sizeOf(bytes),
    usedAt === null ? '' : usedAt.slice(0, 16).replace('T', ' '),
    inUse > 0 ? 'in use' : '',
    meaning,
  ]);
  const table = [['kind', 'items', 'size', 'last used (UTC)', '', ''], ...rows];
  const widths = [0, 1, 2, 3, 4].map((k) => Math.max(...table.map((row) => row[k]!.length)));
  console.log(cacheDir);
  for (const row of table)
    console.log(
      row
        .map((cell, k) => cell.padEnd(widths[k] ?? 0))
        .join('  ')
        .trimEnd(),
    );
}

async function clearKinds(name: string | undefined, options: Options): Promise<void> {
  const cacheDir = cacheDirOf(options);
  const kinds = name === undefined ? KINDS.filter((kind) => !kind.personal || options.faces) : [kindNamed(name)];
  const personal = kinds.filter((kind) => kind.personal);
  const faces = (await Promise.all(personal.map((kind) => itemsOf(cacheDir, kind)))).flat().length;
  if (faces > 0) await confirm(faces, options);
  const { deleted, held } = await clear(cacheDir, kinds);
  const bytes = deleted.reduce((sum, item) => sum + item.bytes, 0);
  console.log(`${deleted.length} deleted, ${sizeOf(bytes)}.`);
  if (held.length > 0) {
    const used = [...new Set(held.map((item) => item.kind))].join(', ');
    console.log(`${held.length} left, as a running server uses them: ${used}. Stop it first, or leave them.`);
  }
}

/** @throws FaceOffError `not_confirmed`. */
async function confirm(faces: number, { faces: named, yes }: Options): Promise<void> {
  const refusal = new FaceOffError(
    'not_confirmed',
    `Nothing was deleted: ${faces} ${faces === 1 ? 'face that was' : 'faces that were'} added would be gone for good. Say --faces --yes if that is meant.`,
  );
  if (named && yes) return;
  if (!process.stdin.isTTY) throw refusal;
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await lines
    .question(`Delete ${faces} ${faces === 1 ? 'face' : 'faces'} for good? [y/N] `)
    .finally(() => lines.close());
  if (!/^y(es)?$/i.test(answer.trim())) throw refusal;
}

function sizeOf(bytes: number): string {
  if (bytes === 0) return '';
  return bytes < 2 ** 20 ? `${Math.ceil(bytes / 1024)} kB` : `${Math.round(bytes / 2 ** 20)} MB`;
}
