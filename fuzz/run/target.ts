/** What a target of the fuzzer is. */

import type { Random } from '../mutate/random.ts';

/** What is wrong: see fuzz/README.md. */
export type DefectKind = 'threw' | 'crash' | 'hang' | 'stack' | 'status 500' | 'rejection' | 'growth' | 'wrong';

/** Thrown by a target that sees a defect itself. Every other error but a FaceOffError is one, too: `threw`. */
export class Defect extends Error {
  readonly kind: DefectKind;

  constructor(kind: DefectKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** A part of the program that reads bytes of strangers. */
export interface Target {
  name: string;
  /** What reads the bytes, in a few words. */
  reads: string;
  /** Its part of the run's time; 1 is usual. */
  share: number;
  /** Inputs at once; 1 where it is left out. */
  parallel?: number;
  /** Longest time of an input in milliseconds, where whole programs start; HANG_MS where it is left out. */
  hangMs?: number;
  /** Most bytes by which memory may grow between the second and the last quarter of a run. */
  growthBytes: number;
  /** Starts what is fuzzed. @param folder an empty one, deleted afterwards. */
  open(folder: string): Promise<OpenTarget>;
}

/** A target that runs. */
export interface OpenTarget {
  /** Makes an input; the same one for the same random numbers. */
  make(random: Random): Buffer;
  /**
   * Feeds an input. An input that is refused with a FaceOffError is refused rightly.
   * @returns whether it was taken rather than refused.
   * @throws Defect, or any other error: a defect.
   */
  feed(input: Buffer): boolean | Promise<boolean>;
  /** Bytes in use, where that is not the JavaScript heap of this process. */
  usedBytes?(): Promise<number>;
  close(): Promise<void>;
}

const STACK = /\n\s+at .+[:(]\d+|\bat .+\.[mc]?[jt]s:\d+:\d+|node:internal\//;

/** @throws Defect `stack` where a text that strangers read shows how the program is built. */
export function checkForStack(text: string): void {
  if (STACK.test(text)) throw new Defect('stack', `an answer shows a stack: ${text.slice(0, 300)}`);
}

/** @throws Defect `wrong` where a fact does not hold. */
export function holds(fact: boolean, what: string): void {
  if (!fact) throw new Defect('wrong', what);
}
