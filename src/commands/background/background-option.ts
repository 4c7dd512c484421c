/** The option `--background` of the commands that write pictures. */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Command } from 'commander';
import type { Config } from '../../config.ts';
import { pictureFile } from '../../pipeline/background/picture-file.ts';
import { backgroundsDir } from '../../pipeline/pool/lane-options.ts';
import { encodeBackground } from '../../server/backgrounds/background-library.ts';
import { FaceOffError, messageOf } from '../../shared/errors.ts';
import { BACKGROUNDS, type BackgroundChoice, COLOUR, type SettingsPatch } from '../../shared/settings.ts';

/** What a person may name. */
export interface BackgroundOptions {
  background?: string;
}

/** A background that was named. */
export interface NamedBackground {
  /** Nothing where none was named: config.yaml's holds. */
  settings: SettingsPatch;
  /** Folder that lanes read its picture from. */
  dir: string;
  /** Removes what was written for it. */
  close(): Promise<void>;
}

/** Id of the picture of a file. */
const ID = 'file';

/** Adds `--background`. */
export const withBackground = (command: Command): Command =>
  command.option(
    '--background <what>',
    'what is shown behind people: none, blur, strong-blur, a colour (#00b140) or a picture file (default: background.choice)',
  );

/** Reads the option. @throws FaceOffError `no_input`, those of `decodePicture`. */
export async function namedBackground(
  { background: what }: BackgroundOptions,
  config: Config,
): Promise<NamedBackground> {
  const kept = { dir: backgroundsDir(config), close: async () => undefined };
  if (what === undefined) return { settings: {}, ...kept };
  if (COLOUR.test(what)) return { settings: { background: 'colour', backgroundColour: what }, ...kept };
  if (isChoice(what)) return { settings: { background: what }, ...kept };
  const data = await readFile(what).catch((cause: unknown) => {
    throw new FaceOffError('no_input', `--background: ${what} cannot be read: ${messageOf(cause)}`, { cause });
  });
  const picture = await encodeBackground(data, config.limits);
  const dir = await mkdtemp(path.join(os.tmpdir(), 'faceoff-background-'));
  await writeFile(pictureFile(dir, ID)!, picture);
  return {
    settings: { background: 'picture', backgroundPicture: ID },
    dir,
    close: () => rm(dir, { recursive: true, force: true }),
  };
}

const isChoice = (what: string): what is BackgroundChoice => (BACKGROUNDS as readonly string[]).includes(what);
