/** `faceoff report`: a support bundle, to send along with a report of a fault. */

import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { Command } from 'commander';
import { pack } from 'tar-stream';
import { writeWhole } from '../../lib/system/whole-file.ts';
import { FaceOffError, messageOf } from '../../shared/errors.ts';
import { type ConfigOptions, configOf, printTable, withConfig } from '../options.ts';
import { gatherParts, type ReportPart } from './report-parts.ts';

interface ReportOptions extends ConfigOptions {
  output?: string;
}

/** `faceoff report`. */
export function reportCommand(defaultConfig: string): Command {
  const command = new Command('report').description(
    'write a support bundle (.tar.gz): doctor, settings without secrets, last log lines, metrics of a running server; no pictures',
  );
  return withConfig(command, defaultConfig)
    .option('--output <file>', 'file to write (default: faceoff-report-TIME.tar.gz in the current folder)')
    .action(async (options: ReportOptions) => {
      const config = configOf(options);
      const now = new Date();
      const args = ['--config', path.resolve(options.config), ...options.set.flatMap((one) => ['--set', one])];
      const file = path.resolve(
        options.output ?? `faceoff-report-${now.toISOString().replaceAll(/[:.]/g, '-')}.tar.gz`,
      );
      const parts = await gatherParts(config, args);
      await writeArchive(file, parts, now);
      printTable(parts.map((part) => [part.file, `${Math.ceil(Buffer.byteLength(part.text) / 1024)} kB`, part.what]));
      console.log(`\nWritten to ${file}. Names of streams may be in the log; look it through before you send it.`);
    });
}

/**
 * Writes the parts as a gzipped tar archive in a folder of its own, readable by its owner alone; whole or not at all.
 * @throws FaceOffError `report_not_written`.
 */
async function writeArchive(file: string, parts: readonly ReportPart[], now: Date): Promise<void> {
  const archive = pack();
  for (const { file: name, text } of parts)
    archive.entry({ name: `faceoff-report/${name}`, mtime: now, mode: 0o644 }, text);
  archive.finalize();
  const data = await promisify(gzip)(await buffer(archive));
  await writeWhole(file, data, 0o600).catch((cause: unknown) => {
    throw new FaceOffError(
      'report_not_written',
      `The report cannot be written to ${file} (${messageOf(cause)}). Name another file with --output.`,
      { cause },
    );
  });
}
