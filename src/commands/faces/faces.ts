/** `faceoff faces`: what was consented to, and the faces that this server does not take. */

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Command } from 'commander';
import { pino } from 'pino';
import type { Config } from '../../config.ts';
import { BlockList } from '../../faces/block-list.ts';
import { consentsIn } from '../../faces/consent.ts';
import { chooseFace, decodePicture } from '../../faces/portrait.ts';
import { Pool } from '../../pipeline/pool/pool.ts';
import { FaceOffError, messageOf } from '../../shared/errors.ts';
import { type ConfigOptions, configOf, printTable, wholeNumber, withConfig } from '../options.ts';
import { packCommands } from './packs.ts';

interface BlockOptions extends ConfigOptions {
  note: string;
  pick?: number;
}

/** `faceoff faces export`, `import`, `consents`, `block`, `list` and `unblock`. A running server follows within seconds. */
export function facesCommand(defaultConfig: string): Command {
  const consents = new Command('consents').description(
    'print the consent for each face as JSON: the sentence, when it was confirmed, by whom, digests of the photos',
  );
  const block = new Command('block').description('take the face of a person no more; the picture is not kept');
  const list = new Command('list').description('the faces that are not taken');
  const unblock = new Command('unblock').description('take a face again');
  const faces = new Command('faces');
  for (const command of packCommands(defaultConfig)) faces.addCommand(command);
  return faces
    .description('faces that people added: packs of them, consents; and faces that this server does not take')
    .addCommand(withConfig(consents, defaultConfig).action(printConsents))
    .addCommand(
      withConfig(block, defaultConfig)
        .argument('<picture>', 'a picture of the person, who asked for it')
        .option('--note <text>', 'for people: who asked, and where', '')
        .option('--pick <n>', 'which face, where the picture shows several (0 is the largest)', wholeNumber)
        .action(blockFace),
    )
    .addCommand(withConfig(list, defaultConfig).action(printList))
    .addCommand(withConfig(unblock, defaultConfig).argument('<id>', 'as `faces list` shows it').action(unblockFace));
}

async function blockFace(file: string, options: BlockOptions): Promise<void> {
  const config = configOf(options, ['pipeline.lanes=1', 'logging.level=warn']);
  const list = await BlockList.open(config.storage.dir);
  const { id } = await list.add(await embeddingOf(file, config, options.pick), options.note);
  console.log(`${id} is blocked. The picture was not kept. \`faceoff faces unblock ${id}\` takes the face again.`);
}

/** @throws FaceOffError `no_input` (500), and those of `decodePicture` and `chooseFace`. */
async function embeddingOf(file: string, config: Config, pick?: number): Promise<Float32Array> {
  const data = await readFile(file).catch((cause: unknown) => {
    throw new FaceOffError('no_input', `${file} cannot be read: ${messageOf(cause)}`);
  });
  const picture = await decodePicture(data, { bytes: config.limits.uploadBytes, pixels: config.limits.picturePixels });
  const pool = await Pool.start(config, pino({ level: 'silent' }));
  try {
    return chooseFace(picture, await pool.analyse({ ...picture, data: picture.data.slice() }), pick).embedding;
  } finally {
    await pool.close();
  }
}

async function printList(options: ConfigOptions): Promise<void> {
  const list = await BlockList.open(configOf(options).storage.dir);
  if (list.isEmpty) console.log('No face is blocked.');
  else printTable(list.list().map(({ id, addedAt, note }) => [id, addedAt.slice(0, 10), note]));
}

async function unblockFace(id: string, options: ConfigOptions): Promise<void> {
  const list = await BlockList.open(configOf(options).storage.dir);
  await list.remove(id);
  console.log(`${id} is not blocked any more.`);
}

async function printConsents(options: ConfigOptions): Promise<void> {
  const { storage, faces } = configOf(options);
  const folder = path.join(storage.dir, 'faces');
  const records = await consentsIn(folder, faces.consentDays).catch((cause: unknown) => {
    throw new FaceOffError('face_damaged', `The consents in ${folder} cannot be read: ${messageOf(cause)}`, { cause });
  });
  console.log(JSON.stringify(records, null, 2));
}
