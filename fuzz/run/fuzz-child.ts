/**
 * The process in which a target runs: `node --expose-gc fuzz-child.js JOB`. It writes the numbers of the inputs in hand to
 * a file, so that its parent knows them when it crashes or hangs, and sends everything else as messages.
 */

import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Random } from '../mutate/random.ts';
import { standInTarget } from '../targets/parsers/stand-in-target.ts';
import type { FuzzJob, FuzzMessage } from './fuzz-protocol.ts';
import { type Failure, feed, type InputCounts, runInputs } from './run-inputs.ts';
import { Defect } from './target.ts';

const job = JSON.parse(process.argv[2]!) as FuzzJob;
const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-fuzz-run-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const say = (message: FuzzMessage): void => void process.send?.(message);
const failed = (failure: Failure, input: Buffer | null): void =>
  say({ type: 'failure', failure, input: input?.toString('base64') ?? null });

const fd = openSync(job.numbers, 'w+');
const slot = Buffer.alloc(8);
const current: number[] = [];
const note = (index: number, lane: number): void => {
  current[lane] = index;
  slot.writeDoubleLE(index);
  writeSync(fd, slot, 0, 8, 8 * lane);
};

/** A promise that nothing awaits, or an error outside of everything: a server would have ended. */
const stray = (error: unknown): void =>
  failed(
    {
      target: job.target,
      kind: 'rejection',
      message: error instanceof Error ? (error.stack ?? error.message) : String(error),
      seed: job.seed,
      index: current[0] ?? null,
    },
    null,
  );
process.on('unhandledRejection', stray);
process.on('uncaughtException', stray);

async function replay(file: string): Promise<InputCounts> {
  try {
    return { fed: 1, taken: (await feed(open, readFileSync(file), job.hangMs)) ? 1 : 0 };
  } catch (error) {
    const kind = error instanceof Defect ? error.kind : 'threw';
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    failed({ target: job.target, kind, message, seed: job.seed, index: null }, null);
    return { fed: 1, taken: 0 };
  }
}

/** The stand-in needs none of the libraries that the others load, so that the tests of the fuzzer are quick. */
const target =
  job.target === standInTarget.name ? standInTarget : (await import('../targets/targets.ts')).targetNamed(job.target);
mkdirSync(path.join(folder, 'target'));
const open = await target.open(path.join(folder, 'target'));
say({ type: 'ready' });

async function run(): Promise<InputCounts> {
  const { seed, from, count, forMs, hangMs, makeInto } = job;
  if (makeInto !== undefined) {
    writeFileSync(makeInto, open.make(Random.of(seed, target.name, from)));
    return { fed: 0, taken: 0 };
  }
  if (job.replay !== undefined) return replay(job.replay);
  const range = { seed, from, count, untilMs: Date.now() + forMs, hangMs, onBegin: note, onFailure: failed };
  return runInputs(target, open, range);
}

try {
  const counts = await run();
  say({ type: 'closing' });
  await open.close();
  // Messages that wait are sent before the process ends: WebRTC's threads would keep it.
  process.send?.({ type: 'done', counts } satisfies FuzzMessage, () => process.exit(0));
} catch (error) {
  console.error(error);
  process.exit(1);
}
