import { existsSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { ProcessorSample } from '../../shared/messages.ts';

/** A control group's limit of processor time, and how often the limit stopped its processes. */
interface Quota {
  /** Infinity without a limit. */
  cores: number;
  periods: number;
  throttled: number;
}

/**
 * Measures the processor: the load of all programs together, and how much of it FaceOff may use. The quota of a
 * container or service comes from its control group (cgroup), version 2 or 1.
 */
export class Processor {
  readonly #folders: readonly string[];
  #busyMs = busyMs() ?? 0;
  #atMs = performance.now();
  #quota: Quota;
  #last: ProcessorSample = { cores: 1, busy: 0, allowed: 1, throttled: 0 };

  /** @param root root of the file system; tests replace it. */
  constructor(root = '/') {
    this.#folders = foldersOf(root);
    this.#quota = leastOf(this.#folders);
  }

  /** The figures since the last call, in cores; those of the last call where the system cannot tell now. */
  read(): ProcessorSample {
    const nowMs = performance.now();
    const workedMs = busyMs();
    if (workedMs === null) return this.#last;
    const quota = leastOf(this.#folders);
    const cores = coresOfMachine();
    const passedMs = Math.max(1, nowMs - this.#atMs);
    const periods = quota.periods - this.#quota.periods;
    this.#last = {
      cores,
      busy: rounded(Math.min(cores, (workedMs - this.#busyMs) / passedMs)),
      allowed: rounded(Math.min(cores, os.availableParallelism(), quota.cores)),
      throttled: periods > 0 ? rounded(Math.max(0, quota.throttled - this.#quota.throttled) / periods) : 0,
    };
    this.#atMs = nowMs;
    this.#busyMs = workedMs;
    this.#quota = quota;
    return this.#last;
  }
}

const rounded = (value: number): number => Math.round(100 * value) / 100;

/** Number of cores. */
const coresOfMachine = (): number => Math.max(1, os.cpus().length);

/** Working time of all cores since the machine started, in milliseconds; null where the system lists no core. */
function busyMs(): number | null {
  const cores = os.cpus();
  if (cores.length === 0) return null;
  return cores.reduce((sum, { times: { user, nice, sys, irq } }) => sum + user + nice + sys + irq, 0);
}

/** Folders of this process's control groups and of their parents that may hold a quota. */
function foldersOf(root: string): string[] {
  const mount = path.join(root, 'sys/fs/cgroup');
  const groups = (textOf(path.join(root, 'proc/self/cgroup')) ?? '').split('\n').flatMap((line) => {
    const [, controllers = '', ...rest] = line.split(':');
    const own = rest.join(':');
    if (own === '') return [];
    const bases =
      controllers === '' ? ['', 'unified'] : controllers.split(',').includes('cpu') ? [controllers, 'cpu'] : [];
    return bases.flatMap((base) => upwards(own).map((group) => path.join(mount, base, group)));
  });
  return [...new Set(groups)].filter((folder) => FILES.some((file) => existsSync(path.join(folder, file))));
}

/** The paths of a group and of all its parents. */
function upwards(group: string): string[] {
  return group === '/' || group === '.' ? ['/'] : [group, ...upwards(path.posix.dirname(group))];
}

/** Files that hold a quota, of version 2 and of version 1. */
const FILES = ['cpu.max', 'cpu.cfs_quota_us'];

/** The smallest quota of the folders. */
function leastOf(folders: readonly string[]): Quota {
  const none = { cores: Number.POSITIVE_INFINITY, periods: 0, throttled: 0 };
  return folders.map(quotaIn).reduce((least, next) => (next.cores < least.cores ? next : least), none);
}

function quotaIn(folder: string): Quota {
  const [max, version1, stat] = ['cpu.max', 'cpu.cfs_quota_us', 'cpu.stat'].map((file) =>
    textOf(path.join(folder, file)),
  );
  const [quota, period] =
    max?.split(' ').map(Number) ?? [version1, textOf(path.join(folder, 'cpu.cfs_period_us'))].map(Number);
  const counted = (name: string): number => Number(stat?.match(new RegExp(`^${name} (\\d+)`, 'm'))?.[1] ?? 0);
  // `max` and -1 mean no limit.
  const cores = quota! > 0 && period! > 0 ? quota! / period! : Number.POSITIVE_INFINITY;
  return { cores, periods: counted('nr_periods'), throttled: counted('nr_throttled') };
}

function textOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
