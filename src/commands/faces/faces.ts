import path from 'node:path';
import { Command } from 'commander';
import { consentsIn } from '../../faces/consent.ts';
import { FaceOffError, messageOf } from '../../shared/errors.ts';
import { type ConfigOptions, configOf, withConfig } from '../options.ts';

/** `faceoff faces`: what is kept of faces, for export. Reads the data folder; the server need not run. */
export function facesCommand(defaultConfig: string): Command {
  const consents = new Command('consents').description(
    'print the consent for each face as JSON: the sentence, when it was confirmed, by whom, digests of the photos',
  );
  return new Command('faces')
    .description('what is kept of the faces that people added')
    .addCommand(withConfig(consents, defaultConfig).action(printConsents));
}

async function printConsents(options: ConfigOptions): Promise<void> {
  const { storage, faces } = configOf(options);
  const folder = path.join(storage.dir, 'faces');
  const records = await consentsIn(folder, faces.consentDays).catch((cause: unknown) => {
    throw new FaceOffError('face_damaged', `The consents in ${folder} cannot be read: ${messageOf(cause)}`, { cause });
  });
  console.log(JSON.stringify(records, null, 2));
}
