/**
 * What the processor does: all programs together, and how much of it FaceOff may use. A container's or a service's quota is
 * asked from its control group (cgroup), version 2 or 1.
 */

import { existsSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { ProcessorSample } from '../../shared/messages.ts';

/** Where a control group says what its processes may use, and how often they were stopped for it. */
interface Quota {
  /** Infinity where there is none. */
  cores: number;
  periods: number;
  throttled: number;
}

export class Processor {
  readonly #folders: readonly string[];
  #busyMs = busyMs();
  #atMs = performance.now();
  #quota: Quota;

  /** @param root of the file system, for tests. */
  constructor(root = '/') {
    this.#folders = foldersOf(root);
    this.#quota = leastOf(this.#folders);
  }

  /** Since the last call. */
  read(): ProcessorSample {
    const [nowMs, workedMs, quota] = [performance.now(), busyMs(), leastOf(this.#folders)];
    const cores = coresOfMachine();
    const passedMs = Math.max(1, nowMs - this.#atMs);
    const periods = quota.periods - this.#quota.periods;
    const sample = {
      cores,
      busy: rounded(Math.min(cores, (workedMs - this.#busyMs) / passedMs)),
      allowed: rounded(Math.min(cores, os.availableParallelism(), quota.cores)),
      throttled: periods > 0 ? rounded(Math.max(0, quota.throttled - this.#quota.throttled) / periods) : 0,
    };
    [this.#atMs, this.#busyMs, this.#quota] = [nowMs, workedMs, quota];
    return sample;
  }
}

const rounded = (value: number): number => Math.round(100 * value) / 100;

/** Some systems do not tell them. */
const coresOfMachine = (): number => Math.max(1, os.cpus().length);

/** Time that all cores have worked since the machine began, in milliseconds. */
const busyMs = (): number =>
  os.cpus().reduce((sum, { times: { user, nice, sys, irq } }) => sum + user + nice + sys + irq, 0);

/** The folders of this process's control groups, and of those above them, that may hold a quota. */
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

/** A group's path, and those of the groups that it is in. */
function upwards(group: string): string[] {
  return group === '/' || group === '.' ? ['/'] : [group, ...upwards(path.posix.dirname(group))];
}

/** What a quota stands in: version 2, version 1. */
const FILES = ['cpu.max', 'cpu.cfs_quota_us'];

/** The narrowest quota counts. */
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
  // `max` and -1 are none.
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
