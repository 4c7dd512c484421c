/** `faceoff cache`: what lies in the cache, and emptying it. */

import { Command } from 'commander';
import { KINDS } from '../cache/cache-kinds.ts';
import { kindNamed, reportOf } from '../cache/cache-report.ts';
import { clear } from '../cache/cleanup.ts';
import { type ConfigOptions, configOf, printTable, withConfig } from './options.ts';

const OWN = KINDS.filter((kind) => kind.own);

/** `faceoff cache info` and `faceoff cache clear [kind]`. */
export function cacheCommand(defaultConfig: string): Command {
  const info = new Command('info').description('kinds, sizes, and when each was last used');
  const clearing = new Command('clear').description('delete one kind, or all; what a running server uses stays');
  return new Command('cache')
    .description('what is kept in models.cacheDir: info, clear')
    .addCommand(withConfig(info, defaultConfig).action(printInfo))
    .addCommand(
      withConfig(clearing, defaultConfig)
        .argument('[kind]', OWN.map(({ name }) => name).join(', '))
        .action(clearKinds),
    );
}

async function printInfo(options: ConfigOptions): Promise<void> {
  const { cacheDir } = configOf(options).models;
  const rows = (await reportOf(cacheDir)).map(({ kind, items, bytes, usedAt, inUse, meaning }) => [
    kind,
    String(items),
    sizeOf(bytes),
    usedAt === null ? '' : usedAt.slice(0, 16).replace('T', ' '),
    inUse > 0 ? 'in use' : '',
    meaning,
  ]);
  console.log(cacheDir);
  printTable([['kind', 'items', 'size', 'last used (UTC)', '', ''], ...rows]);
}

async function clearKinds(name: string | undefined, options: ConfigOptions): Promise<void> {
  const { cacheDir } = configOf(options).models;
  const { deleted, held } = await clear(cacheDir, name === undefined ? OWN : [kindNamed(name)]);
  const bytes = deleted.reduce((sum, item) => sum + item.bytes, 0);
  console.log(`${deleted.length} deleted${bytes === 0 ? '' : `, ${sizeOf(bytes)}`}.`);
  if (held.length > 0) {
    const used = [...new Set(held.map((item) => item.kind))].join(', ');
    console.log(`${held.length} left, as a running server uses them: ${used}. Stop it first, or leave them.`);
  }
}

/** Empty for no bytes. */
function sizeOf(bytes: number): string {
  if (bytes === 0) return '';
  return bytes < 2 ** 20 ? `${Math.ceil(bytes / 1024)} kB` : `${Math.round(bytes / 2 ** 20)} MB`;
}
