/** `faceoff detect`: whether a picture or a video has the invisible mark. */

import { Command } from 'commander';
import { FaceOffError } from '../../shared/errors.ts';
import { messageLayout } from '../../watermark/chips.ts';
import { LEAST_SCORE, type MarkFinding } from '../../watermark/mark-detector.ts';
import { layoutWords, readMarkKey } from '../../watermark/mark-key.ts';
import { sessionDigits } from '../../watermark/session-word.ts';
import { type ConfigOptions, configOf, withConfig } from '../options.ts';
import { detectIn } from './detect-in-file.ts';
import { withFile } from './fetched-file.ts';

interface DetectOptions extends ConfigOptions {
  json: boolean;
}

/** Exit code where no mark was found, and where the file cannot be read. */
const NOT_FOUND = 1;
const UNREADABLE = 2;

/** `faceoff detect FILE|URL`. */
export function detectCommand(defaultConfig: string): Command {
  const command = new Command('detect')
    .description(
      'look for the invisible mark of swapped pictures: exit code 0 where it is found, 1 where not, 2 where the file cannot be read',
    )
    .argument('<file|url>', 'a picture, an animation or a video (where ffmpeg is installed)')
    .option('--json', 'print the result as JSON', false);
  return withConfig(command, defaultConfig).action(detect);
}

async function detect(source: string, options: DetectOptions): Promise<void> {
  const { storage } = configOf(options);
  const key = await readMarkKey(storage.dir);
  try {
    const found = await withFile(source, (file) =>
      detectIn(file, key === null ? null : messageLayout(layoutWords(key))),
    );
    console.log(options.json ? JSON.stringify(reportOf(found, key !== null)) : describe(source, found, key !== null));
    if (!found.isMarked) process.exitCode = NOT_FOUND;
  } catch (error) {
    if (!(error instanceof FaceOffError)) throw error;
    console.error(error.message);
    process.exitCode = UNREADABLE;
  }
}

function reportOf({ isMarked, score, message, pictures, isMirrored }: MarkFinding, hasKey: boolean) {
  return {
    marked: isMarked,
    score: Number(score.toFixed(1)),
    threshold: LEAST_SCORE,
    session: message === null ? null : sessionDigits(message),
    keyed: hasKey,
    mirrored: isMarked && isMirrored,
    pictures,
  };
}

function describe(source: string, { isMarked, score, message, pictures }: MarkFinding, hasKey: boolean): string {
  const seen = `score ${score.toFixed(1)} in ${pictures} ${pictures === 1 ? 'picture' : 'pictures'}`;
  if (!isMarked)
    return `No mark was found in ${source} (${seen}, a mark has ${LEAST_SCORE} or more). It may still be AI-modified: by another program, or damaged too much.`;
  const who =
    message === null
      ? hasKey
        ? 'The session cannot be read: another installation made it, or the picture is damaged too much.'
        : 'The session cannot be read, as this installation has no key (storage.dir).'
      : message === 0
        ? 'This installation rendered it from a file.'
        : `This installation made it in the session that begins with ${sessionDigits(message)}.`;
  return `${source} is marked as AI-modified by FaceOff (${seen}; by chance fewer than one file in a million has ${LEAST_SCORE}). ${who}`;
}
