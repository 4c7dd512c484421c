/**
 * `npm run fuzz [-- --minutes N --seed N --only TARGET,…]`: feeds every part that reads strangers' bytes with inputs that
 * are wrong, and prints what each took and what failed. Exits 1 where anything failed.
 */

import os from 'node:os';
import path from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { type SavedFailure, supervise, type TargetResult } from './run/supervise.ts';
import { TARGETS, targetNamed } from './targets/targets.ts';

interface Options {
  minutes: number;
  seed: number;
  only?: string[];
  jobs: number;
  replay?: string;
  from: number;
  count?: number;
}

/** The seed of a run that names none. */
const SEED = 20_261_129;
const MINUTE_MS = 60_000;
const folder = path.join(os.tmpdir(), 'faceoff-fuzz');

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError('It must be a number.');
  return value;
}

const { minutes, seed, only, jobs, replay, from, count } = new Command('fuzz')
  .option('--minutes <number>', 'how long, all targets together', number, 2)
  .option('--seed <number>', 'another seed makes other inputs', number, SEED)
  .option('--only <targets>', 'these targets, separated by commas', (text) => text.split(','))
  .option('--jobs <number>', 'targets at once', number, Math.min(2, os.availableParallelism()))
  .option('--from <index>', 'number of the first input', number, 0)
  .option('--count <number>', 'most inputs of a target', number)
  .option('--replay <file>', 'feed one saved input again; its name says the target')
  .parse()
  .opts<Options>();

function print({ target, kind, index, message, file }: SavedFailure): void {
  const where = index === null ? '' : ` --from ${index} --count 1`;
  console.log(`\n${target}: ${kind}\n  ${message.slice(0, 1500).replaceAll('\n', '\n  ')}`);
  console.log(`  again: npm run fuzz -- --only ${target} --seed ${seed}${where}`);
  if (file?.endsWith('.input')) console.log(`  or:    npm run fuzz -- --replay ${file}`);
}

async function fuzz(names: readonly string[]): Promise<TargetResult[]> {
  const shares = names.reduce((sum, name) => sum + targetNamed(name).share, 0);
  const workers = Math.max(1, Math.min(jobs, names.length));
  // Long ones first, so that all workers end at about the same time.
  const left = [...names].sort((a, b) => targetNamed(b).share - targetNamed(a).share);
  const results: TargetResult[] = [];
  const worker = async (): Promise<void> => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) {
      const forMs = (minutes * MINUTE_MS * workers * targetNamed(name).share) / shares;
      const { hangMs } = targetNamed(name);
      const range = { from, ...(count !== undefined && { count }), ...(hangMs !== undefined && { hangMs }) };
      const result = await supervise({ target: name, seed, forMs, folder, onFailure: print, ...range });
      results.push(result);
      console.log(`${name}: ${result.fed} inputs, ${result.taken} taken, ${result.failures.length} failures`);
    }
  };
  await Promise.all(Array.from({ length: workers }, worker));
  return results;
}

async function replayed(file: string): Promise<TargetResult[]> {
  const target = /^(.*?)-\d+-/.exec(path.basename(file))?.[1] ?? '';
  targetNamed(target);
  return [await supervise({ target, seed, forMs: MINUTE_MS, folder, replay: path.resolve(file), onFailure: print })];
}

const results = replay === undefined ? await fuzz(only ?? TARGETS.map(({ name }) => name)) : await replayed(replay);
const rows = results.map(({ target, fed, taken, failures, tookMs }) => [
  target,
  { inputs: fed, taken, failures: failures.length, seconds: Math.round(tookMs / 1000) },
]);
console.table(Object.fromEntries(rows));
const fed = results.reduce((sum, one) => sum + one.fed, 0);
const failed = results.reduce((sum, one) => sum + one.failures.length, 0);
console.log(
  `${fed} inputs of seed ${seed}: ${failed === 0 ? 'nothing failed' : `${failed} failures, saved in ${folder}`}.`,
);
process.exitCode = failed === 0 ? 0 : 1;
