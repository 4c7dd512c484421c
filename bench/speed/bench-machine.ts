/** The machine that figures were taken on, and statistics of durations. */

import os from 'node:os';

/** Processor, memory and Node of this machine, and today's date, as kept with each result. */
export const machine = () => ({
  cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
  cores: os.availableParallelism(),
  memoryGiB: Math.round(os.totalmem() / 2 ** 30),
  node: process.version,
  date: new Date().toISOString().slice(0, 10),
});

/** Percentiles in milliseconds. */
export interface Spread {
  p50: number;
  p95: number;
  p99: number;
}

/** Percentiles of durations in milliseconds, rounded to microseconds. */
export function spread(durationsMs: number[]): Spread {
  const sorted = [...durationsMs].sort((a, b) => a - b);
  const at = (share: number): number =>
    Math.round(1000 * sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!) / 1000;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

/** `a` over `b`, rounded to two decimals. */
export const ratio = (a: number, b: number): number => Math.round((100 * a) / b) / 100;
