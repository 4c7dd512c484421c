/** Whether what a command shows or writes has the visible mark: asked where it is to be left off, and recorded. */

import type { Command } from 'commander';
import type { Config } from '../../config.ts';
import { defaultSettings } from '../../pipeline/pool/lane-options.ts';
import { Badge } from '../../server/disclosure/badge.ts';
import { DisclosureRecord } from '../../server/disclosure/disclosure-record.ts';
import { DISCLOSURE_DUTY } from '../../shared/duties/disclosure-duty.ts';
import { FaceOffError } from '../../shared/errors.ts';
import { askYesNo } from '../options.ts';

/** The options of a command whose pictures have the mark. */
export interface MarkOptions {
  /** False where `--no-badge` was given. */
  badge: boolean;
  disclosureAcknowledged: boolean;
}

/** Adds `--no-badge` and `--disclosure-acknowledged`. */
export const withMark = (command: Command): Command =>
  command
    .option('--no-badge', 'leave the visible mark “AI face modified” off; you are asked first')
    .option('--disclosure-acknowledged', 'with --no-badge: I know that I have to disclose in another way', false);

/**
 * The mark to draw; null where it is left off, which is recorded in `storage.dir`.
 * @throws FaceOffError `disclosure_not_acknowledged` where it is to be left off and the person did not say that they know
 *   their duty; `not_saved`.
 */
export async function markFor(config: Config, options: MarkOptions, by: 'render' | 'camera'): Promise<Badge | null> {
  if (options.badge && defaultSettings(config).badge) return Badge.render(config.disclosure.corner);
  const isKnown = config.disclosure.acknowledged || options.disclosureAcknowledged;
  if (!isKnown && (await askYesNo(`${DISCLOSURE_DUTY}\nLeave the mark off?`)) !== true)
    throw new FaceOffError(
      'disclosure_not_acknowledged',
      `Nothing was done. ${DISCLOSURE_DUTY} Add --disclosure-acknowledged to --no-badge if you do.`,
    );
  await new DisclosureRecord(config).add(by);
  return null;
}
