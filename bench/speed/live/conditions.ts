/** Conditions on the machine while a bench runs: nothing else, a busy neighbour process, or half the processor. */

import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/**
 * `plain`: nothing else runs. `neighbour`: a busy process beside. `half`: a control group with half the processor's
 * time.
 */
export const CONDITIONS = ['plain', 'neighbour', 'half'] as const;
/** One of CONDITIONS. */
export type Condition = (typeof CONDITIONS)[number];

/** A condition in force. */
export interface ActiveCondition {
  /** Puts a process, and all that it starts from now on, under the condition. */
  include(pid: number): void;
  end(): Promise<void>;
}

/**
 * The quota's period. Short, so that the quota acts like a slower processor; over the usual 100 ms it would act like
 * one that stands still again and again.
 */
const PERIOD_US = 10_000;

/** Brings a condition into force until `end`. @throws Error where this machine does not allow it. */
export function startCondition(condition: Condition): ActiveCondition {
  if (condition === 'half') return half();
  if (condition === 'plain') return { include: () => undefined, end: async () => undefined };
  const neighbour = spawn(process.execPath, ['-e', 'for (;;) {}'], { stdio: 'ignore' });
  return { include: () => undefined, end: async () => void neighbour.kill('SIGKILL') };
}

/** Why this machine does not allow a condition; null where it does. */
export async function whyNot(condition: Condition): Promise<string | null> {
  try {
    await startCondition(condition).end();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

function half(): ActiveCondition {
  const group = groupWithQuota();
  return {
    include: (pid) => {
      try {
        writeFileSync(path.join(group, 'cgroup.procs'), String(pid));
      } catch (error) {
        // Some processes of a browser end at once.
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    },
    end: () => remove(group),
  };
}

/** Removes a control group, which the kernel refuses until the last of its processes has ended. */
async function remove(group: string): Promise<void> {
  for (let attempts = 0; attempts < 30; attempts++) {
    try {
      return rmdirSync(group);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

let groups = 0;

/** Makes a control group with half the time of all cores. @returns its folder. */
function groupWithQuota(): string {
  const name = `faceoff-bench-${process.pid}-${groups++}`;
  const quotaUs = (PERIOD_US * os.availableParallelism()) / 2;
  const why: string[] = [];
  for (const { folder, limits } of groupPlaces(quotaUs)) {
    const group = path.join(folder, name);
    try {
      mkdirSync(group);
      for (const [file, value] of limits) writeFileSync(path.join(group, file), value);
      return group;
    } catch (error) {
      why.push((error as Error).message);
      try {
        rmdirSync(group);
      } catch {
        // The group was never made.
      }
    }
  }
  throw new Error(why[0] ?? 'there are no control groups');
}

/**
 * Where a group can be made, and what is written into its files: version 1 of control groups has a tree for each
 * resource, version 2 one tree for all.
 */
function groupPlaces(quotaUs: number): { folder: string; limits: [string, string][] }[] {
  let lines: string[];
  try {
    lines = readFileSync('/proc/self/cgroup', 'utf8').trim().split('\n');
  } catch {
    return [];
  }
  return lines.flatMap((line) => {
    const [id, controllers, own] = line.split(':') as [string, string, string];
    if (controllers.split(',').includes('cpu')) {
      const limits: [string, string][] = [
        ['cpu.cfs_period_us', String(PERIOD_US)],
        ['cpu.cfs_quota_us', String(quotaUs)],
      ];
      return [{ folder: path.join('/sys/fs/cgroup/cpu', own), limits }];
    }
    if (id !== '0') return [];
    return [{ folder: path.join('/sys/fs/cgroup', own), limits: [['cpu.max', `${quotaUs} ${PERIOD_US}`]] }];
  });
}
