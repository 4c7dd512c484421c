/** What the figures were taken on, and how they are summed up. */

import os from 'node:os';

export const machine = () => ({
  cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
  cores: os.availableParallelism(),
  memoryGiB: Math.round(os.totalmem() / 2 ** 30),
  node: process.version,
  date: new Date().toISOString().slice(0, 10),
});

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

export const ratio = (a: number, b: number): number => Math.round((100 * a) / b) / 100;
