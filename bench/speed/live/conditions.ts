/** What else there is on the machine while a bench runs: nothing, a busy neighbour, or a processor half as fast. */

import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

export const CONDITIONS = ['plain', 'neighbour', 'half'] as const;
export type Condition = (typeof CONDITIONS)[number];

export interface Circumstances {
  /** Has a process, and all that it starts from now on, live under them. */
  include(pid: number): void;
  end(): Promise<void>;
}

/** Short, so that it is like a slower processor; over the usual 100 ms it would be one that stands still again and again. */
const PERIOD_US = 10_000;

/** @throws Error where it cannot be made here. */
export function createConditions(condition: Condition): Circumstances {
  if (condition === 'half') return half();
  if (condition === 'plain') return { include: () => undefined, end: async () => undefined };
  const neighbour = spawn(process.execPath, ['-e', 'for (;;) {}'], { stdio: 'ignore' });
  return { include: () => undefined, end: async () => void neighbour.kill('SIGKILL') };
}

/** Why a condition cannot be made here; null where it can. */
export async function whyNot(condition: Condition): Promise<string | null> {
  try {
    await createConditions(condition).end();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

function half(): Circumstances {
  const group = groupWithQuota();
  return {
    include: (pid) => {
      try {
        writeFileSync(path.join(group, 'cgroup.procs'), String(pid));
      } catch (error) {
        // Some processes of a browser are gone again at once.
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    },
    end: () => remove(group),
  };
}

/** A group can only go when the last of its processes has. */
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

/** A control group that has half the time of all cores. */
function groupWithQuota(): string {
  const name = `faceoff-bench-${process.pid}-${groups++}`;
  const quotaUs = (PERIOD_US * os.availableParallelism()) / 2;
  const why: string[] = [];
  for (const { folder, limits } of places(quotaUs)) {
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
        // It never came to be.
      }
    }
  }
  throw new Error(why[0] ?? 'there are no control groups');
}

/** Where a group may be made, and what is to be written into it: version 1 has a tree for each resource, version 2 one for all. */
function places(quotaUs: number): { folder: string; limits: [string, string][] }[] {
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
