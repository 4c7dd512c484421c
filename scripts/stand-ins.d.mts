import type { OptionalEntry } from '../src/pipeline/models/catalogue.ts';

/** Types of stand-ins.mjs. */
export function random(seed: number): () => number;
export function entries(): OptionalEntry[];
export function standIn(entry: OptionalEntry, work?: number): Uint8Array;
export function realSize(batch?: number | string): Uint8Array;
export function writeStandIns(folder: string, names?: string[], options?: { full?: boolean; work?: number }): void;
