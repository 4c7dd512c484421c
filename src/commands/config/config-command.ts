/** `faceoff config check`: tells everything that is wrong with a configuration file, or what it sets. */

import { existsSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { Command } from 'commander';
import { settingOf } from '../../config/config-in-force.ts';
import { withoutSecrets } from '../../config/secret-settings.ts';
import {
  type Config,
  type ConfigSources,
  type LoadedConfig,
  liveSettings,
  readConfig,
  settingPaths,
} from '../../config.ts';
import { isStoredFace } from '../../faces/face-library.ts';
import { shippedModels } from '../../lib/installation.ts';
import { readCatalogue } from '../../pipeline/models/catalogue.ts';
import { requireModelNames } from '../../pipeline/pool/lane-options.ts';
import { FaceOffError, messageOf } from '../../shared/errors.ts';
import { collect, printTable, sourcesOf } from '../options.ts';

/** `faceoff config check`. */
export function configCommand(defaultConfig: string): Command {
  return new Command('config').description('check the configuration').addCommand(
    new Command('check')
      .description('tell what is wrong with a configuration file, as the start would, or what it sets')
      .argument('[file]', 'configuration file', defaultConfig)
      .option('--set <section.key=value>', 'one setting; may be given several times', collect, [])
      .action((file: string, { set }: { set: string[] }) => {
        process.exitCode = checkConfig(sourcesOf({ config: file, set }));
      }),
  );
}

/**
 * Checks a file together with variables and `--set`, without which it may not be whole: a token is often a variable.
 * @returns the exit status: 0 where a server would start with it, else 1.
 */
function checkConfig(sources: ConfigSources): number {
  let loaded: LoadedConfig;
  try {
    loaded = readConfig(sources);
  } catch (error) {
    if (!(error instanceof FaceOffError)) throw error;
    return refused(faultsIn(error));
  }
  const { faults, notes } = namesIn(loaded);
  if (faults.length > 0) return refused(faults);
  const { file } = sources;
  console.log(loaded.hasFile ? `${file}: a server can start with it.` : `${file} is not there, and need not be.`);
  const rows = rowsOf(loaded);
  if (rows.length > 0) printTable(rows);
  else console.log('Nothing is set: every setting has its default.');
  for (const note of notes) console.log(note);
  return 0;
}

function refused(faults: readonly string[]): number {
  for (const fault of faults) console.error(fault);
  console.error(faults.length === 1 ? '1 error.' : `${faults.length} errors.`);
  return 1;
}

const faultsIn = ({ message, details }: FaceOffError): string[] =>
  (details as { faults?: string[] } | undefined)?.faults ?? [message];

/** Names of models and faces, as far as this machine has the folders that the configuration names. */
function namesIn({ config, origins }: LoadedConfig): { faults: string[]; notes: string[] } {
  const faults: string[] = [];
  const notes: string[] = [];
  const place = (key: string): string => {
    const at = origins.get(key)?.at;
    return at == null ? '' : `${at}: `;
  };
  const { models, storage, swap } = config;
  if (existsSync(path.join(shippedModels(models.dir), 'models.yaml'))) {
    try {
      requireModelNames(readCatalogue(models.dir), config);
    } catch (error) {
      const text = messageOf(error);
      faults.push(place(text.slice(0, text.indexOf(':'))) + text);
    }
  } else notes.push(`Names of models were not checked: models.dir, ${models.dir}, is not here.`);
  if (isStoredFace(config, swap.face)) return { faults, notes };
  if (existsSync(storage.dir))
    faults.push(`${place('swap.face')}swap.face: there is no face with the id "${swap.face}"`);
  else notes.push(`swap.face was not checked: storage.dir, ${storage.dir}, is not here.`);
  return { faults, notes };
}

/** What is set, from where, and whether a running server takes it over. */
function rowsOf({ config, defaults, origins }: LoadedConfig): string[][] {
  const shown: Config = withoutSecrets(config);
  const live = liveSettings();
  return settingPaths().flatMap((key) => {
    const origin = origins.get(key);
    if (origin === undefined) return [];
    const isDefault = isDeepStrictEqual(settingOf(config, key), settingOf(defaults, key));
    return [
      [
        key,
        JSON.stringify(settingOf(shown, key)),
        origin.at ?? '',
        live.has(key) ? 'live' : 'needs a restart',
        isDefault ? 'the default' : '',
      ],
    ];
  });
}
