/** Feeds a target with inputs, one number after another, and tells what goes wrong. Runs in the process of the target. */

import { setTimeout as delay, setImmediate as pass } from 'node:timers/promises';
import { FaceOffError } from '../../src/shared/errors.ts';
import { Random } from '../mutate/random.ts';
import { checkForStack, Defect, type DefectKind, type OpenTarget, type Target } from './target.ts';

/** One defect that was seen. */
export interface Failure {
  target: string;
  kind: DefectKind;
  message: string;
  seed: number;
  /** Number of the input; null where no single input is at fault. */
  index: number | null;
}

/** Which inputs are fed, and what is called. */
export interface InputRange {
  seed: number;
  /** Number of the first input. */
  from: number;
  /** Most inputs. */
  count: number;
  /** When to stop, in milliseconds since 1970. */
  untilMs: number;
  /** Longest time of an input. */
  hangMs: number;
  /** Called before an input is fed. @param lane which of the inputs at once, from 0. */
  onBegin?(index: number, lane: number): void;
  /** Called with the bytes where they are known. */
  onFailure(failure: Failure, input: Buffer | null): void;
}

/** What a run did. */
export interface InputCounts {
  fed: number;
  /** Inputs that were not refused. */
  taken: number;
}

/** Parts of a run at whose ends memory is measured. */
const SAMPLES = 20;
/** How late a timer may be. */
const LATE_MS = 500;
/** So many inputs are made and fed before the event loop turns. */
const TURN = 64;

/** Runs the inputs of a range. Never throws: everything that goes wrong is told. */
export async function runInputs(target: Target, open: OpenTarget, range: InputRange): Promise<InputCounts> {
  const { seed, from, count, untilMs } = range;
  const begunMs = Date.now();
  const counts = { fed: 0, taken: 0 };
  const memory: { done: number; bytes: number }[] = [];
  let next = from;
  const done = (): number => Math.max((next - from) / count, (Date.now() - begunMs) / Math.max(1, untilMs - begunMs));
  const tell = (kind: DefectKind, message: string, index: number | null, input: Buffer | null): void =>
    range.onFailure({ target: target.name, kind, message, seed, index }, input);
  let samples = 1;
  const measure = async (at: number): Promise<void> => {
    samples++;
    // A server that an input has just ended has no memory.
    const bytes = await usedBytes(open).catch(() => null);
    if (bytes !== null) memory.push({ done: at, bytes });
  };
  const lane = async (number: number): Promise<void> => {
    while (next < from + count && Date.now() < untilMs) {
      const index = next++;
      range.onBegin?.(index, number);
      const input = open.make(Random.of(seed, target.name, index));
      try {
        if (await feedTwice(open, input, range.hangMs)) counts.taken++;
      } catch (error) {
        const kind = error instanceof Defect ? error.kind : 'threw';
        tell(kind, described(error), index, input);
      }
      counts.fed++;
      if (counts.fed % TURN === 0) await pass();
      if (number === 0 && done() * SAMPLES > samples) await measure(done());
    }
  };
  await Promise.all(Array.from({ length: target.parallel ?? 1 }, (_, number) => lane(number)));
  await measure(1);
  const grown = growthOf(memory);
  if (grown > target.growthBytes)
    tell('growth', `memory grew by ${Math.round(grown / 2 ** 20)} MiB over ${counts.fed} inputs`, null, null);
  return counts;
}

/** The least that was used in the last quarter less the least of the second: the first one is the warm-up. */
export function growthOf(memory: readonly { done: number; bytes: number }[]): number {
  const least = (from: number, to: number): number =>
    Math.min(...memory.filter(({ done }) => done >= from && done <= to).map(({ bytes }) => bytes));
  const [before, after] = [least(0.25, 0.5), least(0.75, 1)];
  return Number.isFinite(before) && Number.isFinite(after) ? after - before : 0;
}

async function usedBytes(open: OpenTarget): Promise<number> {
  if (open.usedBytes !== undefined) return open.usedBytes();
  const collect = (globalThis as { gc?: () => void }).gc;
  for (let n = 0; n < 2; n++) {
    collect?.();
    await pass();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** One that took too long is fed again after a while: other programs may have had the processor. */
async function feedTwice(open: OpenTarget, input: Buffer, hangMs: number): Promise<boolean> {
  try {
    return await feed(open, input, hangMs);
  } catch (error) {
    if (!(error instanceof Defect) || error.kind !== 'hang') throw error;
    await delay(hangMs);
    return feed(open, input, hangMs);
  }
}

/** Feeds one input. @throws Defect, or what the target throws that is no refusal. */
export async function feed(open: OpenTarget, input: Buffer, hangMs: number): Promise<boolean> {
  const begunMs = performance.now();
  const taken = await feedInTime(open, input, hangMs);
  const tookMs = performance.now() - begunMs;
  // A synchronous function holds up the timer, too.
  if (tookMs > hangMs + LATE_MS) throw new Defect('hang', `it took ${Math.round(tookMs)} ms`);
  return taken;
}

async function feedInTime(open: OpenTarget, input: Buffer, hangMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  try {
    const fed = open.feed(input);
    if (typeof fed === 'boolean') return fed;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Defect('hang', `no answer within ${hangMs} ms`)), hangMs);
    });
    return await Promise.race([fed, late]);
  } catch (error) {
    if (!(error instanceof FaceOffError) || error.code === 'internal') throw error;
    checkForStack(error.message);
    return false;
  } finally {
    clearTimeout(timer);
  }
}

const described = (error: unknown): string =>
  error instanceof Defect ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error);
