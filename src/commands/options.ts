/** Options and printing that the commands share. */

import path from 'node:path';
import { createInterface } from 'node:readline/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { type Config, type ConfigSources, loadConfig } from '../config.ts';
import { defaultConfigFile } from '../lib/installation.ts';

/** The options of every command that reads the configuration. */
export interface ConfigOptions {
  /** Path of the configuration file. */
  config: string;
  /** `section.key=value` each. */
  set: string[];
}

/** For an option that may be given several times. */
export const collect = (value: string, all: string[] = []): string[] => [...all, value];

/** Adds `--config` and `--set`. */
export function withConfig(command: Command, defaultConfig: string): Command {
  return command
    .option('--config <file>', 'configuration file', defaultConfig)
    .option('--set <section.key=value>', 'one setting; may be given several times', collect, []);
}

/**
 * The configuration that `--config`, the environment and `--set` make.
 * @param first assignments that `--set` can change.
 * @throws FaceOffError `bad_config`.
 */
export const configOf = (options: ConfigOptions, first: readonly string[] = []): Config =>
  loadConfig(sourcesOf({ ...options, set: [...first, ...options.set] }));

/** Where `--config`, the environment and `--set` have the configuration read. */
export function sourcesOf({ config: file, set }: ConfigOptions): ConfigSources {
  // The usual file may be missing; one that a person names may not.
  const isRequired = path.resolve(file) !== path.resolve(defaultConfigFile());
  return { file, isRequired, env: process.env, set };
}

/** Parses an option that takes a whole number, 0 or more. @throws InvalidArgumentError */
export function wholeNumber(value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 0) throw new InvalidArgumentError('must be a whole number, 0 or more');
  return number;
}

/** Prints rows of cells with every column but the last padded to its widest cell. */
export function printTable(rows: readonly (readonly string[])[]): void {
  const columns = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: columns - 1 }, (_, k) => Math.max(...rows.map((row) => row[k]?.length ?? 0)));
  for (const row of rows) {
    const line = row.map((cell, k) => cell.padEnd(widths[k] ?? 0)).join('  ');
    console.log(line.trimEnd());
  }
}

/** Asks a yes-or-no question on the terminal, by the standard error: the other may carry pictures. Null where the standard input is not one. */
export async function askYesNo(question: string): Promise<boolean | null> {
  if (!process.stdin.isTTY) return null;
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await lines.question(`${question} [y/N] `).finally(() => lines.close());
  return /^y(es)?$/i.test(answer.trim());
}
