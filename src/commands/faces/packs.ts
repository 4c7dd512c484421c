/** `faceoff faces export` and `import`: packs of faces. */

import { readFile, stat, writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { pino } from 'pino';
import type { Config } from '../../config.ts';
import { FaceLibrary } from '../../faces/face-library.ts';
import { importPack, listOf, packOf } from '../../faces/packs/face-pack.ts';
import { openFolder, openZip } from '../../faces/packs/pack-source.ts';
import { Pool } from '../../pipeline/pool/pool.ts';
import { CONSENT_STATEMENT } from '../../shared/duties/consent-statement.ts';
import { FaceOffError, messageOf } from '../../shared/errors.ts';
import { askYesNo, type ConfigOptions, collect, configOf, withConfig } from '../options.ts';

interface ExportOptions extends ConfigOptions {
  face?: string[];
}

interface ImportOptions extends ConfigOptions {
  consent: boolean;
  by?: string;
}

/** The commands `export` and `import`. A running server shows what was imported once it is started again. */
export function packCommands(defaultConfig: string): Command[] {
  return [
    withConfig(new Command('export'), defaultConfig)
      .description('write the faces that were added as a zip, with names and licences; consents stay here')
      .argument('<file>', 'the zip to write')
      .option('--face <id>', 'only this one; may be given several times', collect)
      .action(exportFaces),
    withConfig(new Command('import'), defaultConfig)
      .description('add the faces of a pack; you are asked whether you may use them')
      .argument('<pack>', 'a zip, or a folder with pack.json')
      .option('--consent', `${CONSENT_STATEMENT} For every face of the pack`, false)
      .option('--by <name>', 'who confirms that; kept with the faces')
      .action(importFaces),
  ];
}

async function exportFaces(file: string, options: ExportOptions): Promise<void> {
  await withLibrary(options, async (library) => {
    const pack = await packOf(library, options.face);
    await writeFile(file, pack).catch((cause: unknown) => {
      throw new FaceOffError('bad_output', `${file} cannot be written: ${messageOf(cause)}`, { cause });
    });
    console.log(`${file} is written.`);
  });
}

/** @throws FaceOffError `bad_pack`, `consent_missing` (422). */
async function importFaces(pack: string, options: ImportOptions): Promise<void> {
  const { limits } = configOf(options);
  const source = (await stat(pack).catch(() => null))?.isDirectory()
    ? await openFolder(pack)
    : await openZip(await contentOf(pack, limits.packBytes));
  try {
    const { faces } = await listOf(source);
    const names = faces.map(({ name, licence }) => (licence === null ? name : `${name} (${licence})`));
    console.log(`The pack has ${faces.length === 1 ? 'one face' : `${faces.length} faces`}: ${names.join(', ')}.`);
    if (!options.consent && (await askYesNo(`${CONSENT_STATEMENT} For every one of them?`)) !== true)
      throw new FaceOffError(
        'consent_missing',
        'Nothing was imported. Answer y, or give --consent, if you may use them.',
      );
    await withLibrary(options, async (library) => {
      const most = { bytes: limits.packBytes, photoBytes: limits.uploadBytes };
      const { added, refused } = await importPack(source, library, most, options.by);
      for (const { id, name, photos } of added)
        console.log(`added ${name} (${id}), ${photos} photo${photos === 1 ? '' : 's'}`);
      for (const { name, photo, message } of refused) console.log(`not taken: ${photo} of ${name}. ${message}`);
      if (added.length > 0) console.log('A running server shows them once it is started again.');
    });
  } finally {
    source.close();
  }
}

/** @throws FaceOffError `no_input` (500), `bad_pack` (422). */
async function contentOf(file: string, most: number): Promise<Buffer> {
  const data = await readFile(file).catch((cause: unknown) => {
    throw new FaceOffError('no_input', `${file} cannot be read: ${messageOf(cause)}`, { cause });
  });
  if (data.length <= most) return data;
  throw new FaceOffError(
    'bad_pack',
    `The pack has more than ${Math.round(most / 2 ** 20)} MB. Make several of it, or raise limits.packBytes.`,
  );
}

async function withLibrary(options: ConfigOptions, work: (library: FaceLibrary) => Promise<void>): Promise<void> {
  const config: Config = configOf(options, ['pipeline.lanes=1', 'logging.level=warn']);
  const log = pino({ level: 'silent' });
  const pool = await Pool.start(config, log);
  const library = await FaceLibrary.open(config, pool, log);
  try {
    await work(library);
  } finally {
    library.close();
    await pool.close();
  }
}
