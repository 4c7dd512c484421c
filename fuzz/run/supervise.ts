/** Runs a target in a process of its own, watches it, and starts it again behind an input that crashed or held it. */

import { type ChildProcess, fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { root } from '../../src/lib/package-root.ts';
import type { FuzzJob, FuzzMessage } from './fuzz-protocol.ts';
import type { Failure, InputCounts } from './run-inputs.ts';

/** Which target is run, and for how long. */
export interface SuperviseOptions {
  target: string;
  seed: number;
  from?: number;
  count?: number;
  forMs: number;
  hangMs?: number;
  /** A saved input, fed instead of all others. */
  replay?: string;
  /** Where inputs that fail are saved. */
  folder: string;
  onFailure?(failure: SavedFailure): void;
}

/** A failure, and the file of its input. */
export interface SavedFailure extends Failure {
  file: string | null;
}

/** What became of a target. */
export interface TargetResult extends InputCounts {
  target: string;
  failures: SavedFailure[];
  tookMs: number;
}

/** Longest time of one input. */
const HANG_MS = 5000;
/** How long a target may take to start, and to close. */
const OPEN_MS = 120_000;
/** The child says itself that an input takes too long, unless it is held. */
const GRACE_MS = 1500;
/** Failures of one kind that are saved. */
const MOST_ALIKE = 3;

/** Runs a target for its time. Resolves with what was found; rejects where the target cannot be started. */
export async function supervise(options: SuperviseOptions): Promise<TargetResult> {
  const begunMs = Date.now();
  const endMs = begunMs + options.forMs;
  const counts: InputCounts = { fed: 0, taken: 0 };
  const failures: SavedFailure[] = [];
  const alike = new Map<string, number>();
  const found = (failure: Failure, input: Buffer | null): void => {
    const seen = (alike.get(signatureOf(failure)) ?? 0) + 1;
    alike.set(signatureOf(failure), seen);
    const file = seen <= MOST_ALIKE ? save(options.folder, failure, input) : null;
    failures.push({ ...failure, file });
    if (seen <= MOST_ALIKE) options.onFailure?.({ ...failure, file });
  };
  const foundAt = async (kind: 'hang' | 'crash', message: string, index: number): Promise<void> => {
    const made = await remake(options, index);
    found({ target: options.target, kind, message, seed: options.seed, index }, made);
  };
  let { from = 0, count: left = Number.MAX_SAFE_INTEGER } = options;
  let heldAt = -1;
  for (let isFirst = true; isFirst || (left > 0 && Date.now() < endMs); isFirst = false) {
    const round = await runChild({ ...options, from, count: left, forMs: Math.max(0, endMs - Date.now()) }, found);
    if (round.end === 'done') {
      counts.fed += round.counts.fed;
      counts.taken += round.counts.taken;
      break;
    }
    const { inHand } = round;
    const highest = Math.max(from, ...inHand);
    const lowest = Math.min(highest, ...inHand);
    // One that held the process is tried again: other programs may have had the processor.
    const again = round.end === 'held' && heldAt !== lowest && Date.now() < endMs;
    if (again) heldAt = lowest;
    else if (round.end === 'held') {
      await foundAt('hang', 'an input holds the process', lowest);
    } else {
      const message = `the process ended with ${round.how}; inputs in hand: ${inHand.join(', ')}\n${round.said}`;
      await foundAt('crash', message, lowest);
    }
    const next = again ? lowest : highest + 1;
    counts.fed += next - from;
    left -= next - from;
    from = next;
  }
  return { target: options.target, ...counts, failures, tookMs: Date.now() - begunMs };
}

type Round =
  | { end: 'done'; counts: InputCounts }
  | { end: 'held'; inHand: number[] }
  | { end: 'crashed'; how: string; said: string; inHand: number[] };

/** The bytes of an input, made again by a process of its own; null where that fails. */
async function remake(options: SuperviseOptions, index: number): Promise<Buffer | null> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-fuzz-made-'));
  const makeInto = path.join(folder, 'input');
  try {
    await runChild({ ...options, from: index, count: 1, makeInto }, () => undefined);
    return readFileSync(makeInto);
  } catch {
    return null;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function runChild(
  options: SuperviseOptions & { from: number; count: number; makeInto?: string },
  found: (failure: Failure, input: Buffer | null) => void,
): Promise<Round> {
  const { target, seed, from, count, forMs, hangMs = HANG_MS, replay, makeInto } = options;
  const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-fuzz-watch-'));
  const numbers = path.join(folder, 'numbers');
  const job: FuzzJob = {
    target,
    seed,
    from,
    count,
    forMs,
    hangMs,
    numbers,
    ...(replay !== undefined && { replay }),
    ...(makeInto !== undefined && { makeInto }),
  };
  const child = fork(path.join(root, 'dist/fuzz/fuzz-child.js'), [JSON.stringify(job)], {
    execArgv: ['--expose-gc', '--enable-source-maps'],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let said = '';
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (text: Buffer) => {
      said = (said + text.toString()).slice(-4000);
    });
  let counts: InputCounts | null = null;
  let isReady = false;
  let isClosing = false;
  const spawned = new Set<number>();
  child.on('message', (message: FuzzMessage) => {
    if (message.type === 'ready') isReady = true;
    if (message.type === 'closing') isClosing = true;
    if (message.type === 'spawned') spawned.add(message.pid);
    if (message.type === 'ended') spawned.delete(message.pid);
    if (message.type === 'failure')
      found(message.failure, message.input === null ? null : Buffer.from(message.input, 'base64'));
    if (message.type === 'done') counts = message.counts;
  });
  const watch = watchNumbers(child, {
    numbers,
    hangMs,
    isReady: () => isReady,
    isFeeding: () => isReady && !isClosing,
  });
  const how = await new Promise<string>((resolve) =>
    child.once('exit', (code, signal) => resolve(String(signal ?? code))),
  );
  const wasHeld = watch.stop();
  for (const pid of spawned) endProcess(pid);
  const inHand = numbersIn(numbers);
  rmSync(folder, { recursive: true, force: true });
  if (counts !== null) return { end: 'done', counts };
  if (!isReady) throw new Error(`the target ${target} does not start (${how}):\n${said}`);
  return wasHeld ? { end: 'held', inHand } : { end: 'crashed', how, said: said.trim(), inHand };
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

interface Watched {
  numbers: string;
  hangMs: number;
  isReady(): boolean;
  isFeeding(): boolean;
}

/** Ends a child that takes no next input for too long. @returns its end: whether it was ended for that. */
function watchNumbers(child: ChildProcess, { numbers, hangMs, isReady, isFeeding }: Watched): { stop(): boolean } {
  let last = '';
  let sinceMs = performance.now();
  let wasHeld = false;
  const timer = setInterval(() => {
    const now = `${isReady()} ${isFeeding()} ${numbersIn(numbers).join()}`;
    if (now !== last) [last, sinceMs] = [now, performance.now()];
    // An input that hangs without holding the process is fed twice, with a pause, before the child tells.
    const limitMs = isFeeding() ? 3 * hangMs + GRACE_MS : OPEN_MS;
    if (performance.now() - sinceMs < limitMs) return;
    wasHeld = isReady();
    child.kill('SIGKILL');
  }, 200);
  return {
    stop: () => {
      clearInterval(timer);
      return wasHeld;
    },
  };
}

function numbersIn(file: string): number[] {
  try {
    const bytes = readFileSync(file);
    return Array.from({ length: bytes.length >> 3 }, (_, lane) => bytes.readDoubleLE(8 * lane));
  } catch {
    // The child has not begun.
    return [];
  }
}

/** What failures of the same cause have in common: where it was thrown, else the message without what varies. */
function signatureOf({ kind, message }: Failure): string {
  const [what = ''] = message.split(/[:\n]/, 1);
  const where = /\n\s+at [^\n]*\/(?:src|node_modules)\/[^\n]*/.exec(message)?.[0];
  return `${kind} ${where ?? what.slice(0, 120).replace(/\d+|"[^"]*"/g, '')}`;
}

function save(folder: string, failure: Failure, input: Buffer | null): string {
  mkdirSync(folder, { recursive: true });
  const name = `${failure.target}-${failure.seed}-${failure.index ?? 'run'}-${failure.kind.replace(' ', '-')}`;
  const file = path.join(folder, `${name}.input`);
  writeFileSync(path.join(folder, `${name}.json`), `${JSON.stringify(failure, null, 2)}\n`);
  if (input === null) return path.join(folder, `${name}.json`);
  writeFileSync(file, input);
  return file;
}
