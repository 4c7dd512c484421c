/** What crosses between the fuzzer and the process of a target. */

import type { Failure, InputCounts } from './run-inputs.ts';

/** What the child is to do. */
export interface FuzzJob {
  target: string;
  seed: number;
  from: number;
  count: number;
  forMs: number;
  hangMs: number;
  /** File for the numbers of the inputs in hand, eight bytes (a float64, little-endian) for each. */
  numbers: string;
  /** A file with one input, fed instead of all others. */
  replay?: string;
  /** A file into which the input `from` is written, and nothing is fed. */
  makeInto?: string;
}

/** What the child says. */
export type FuzzMessage =
  | { type: 'ready' }
  /** All inputs are fed. */
  | { type: 'closing' }
  /** A process that it started, and that it has to end: its parent ends it where it cannot. */
  | { type: 'spawned' | 'ended'; pid: number }
  | { type: 'failure'; failure: Failure; input: string | null }
  | { type: 'done'; counts: InputCounts };
