import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { Processor } from '../../../../src/server/monitor/processor.ts';

const roots: string[] = [];
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true, force: true });
});

/** A file system that holds only these files. */
function rootWith(files: Record<string, string>): string {
  const root = mkdtempSync(path.join(os.tmpdir(), 'faceoff-cgroup-'));
  roots.push(root);
  put(root, files);
  return root;
}

function put(root: string, files: Record<string, string>): void {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    writeFileSync(path.join(root, file), text);
  }
}

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test('the load of all programs is measured', async () => {
  const processor = new Processor(rootWith({}));
  const endMs = performance.now() + 400;
  while (performance.now() < endMs);
  const { cores, busy, allowed, throttled } = processor.read();
  expect(cores).toBe(os.cpus().length);
  expect(busy).toBeGreaterThan(0.5);
  expect(busy).toBeLessThanOrEqual(cores);
  expect([allowed, throttled]).toEqual([Math.min(cores, os.availableParallelism()), 0]);
});

test.each([
  ['version 2, in a container', '0::/', 'sys/fs/cgroup/cpu.max', '50000 100000\n'],
  [
    'version 2, as a service',
    '0::/system.slice/faceoff.service',
    'sys/fs/cgroup/system.slice/faceoff.service/cpu.max',
    '50000 100000',
  ],
  [
    'version 2, in a group above',
    '0::/system.slice/faceoff.service',
    'sys/fs/cgroup/system.slice/cpu.max',
    '50000 100000',
  ],
  ['version 2, as Docker shows it', '0::/docker/0123', 'sys/fs/cgroup/cpu.max', '50000 100000'],
  ['version 1', '3:cpu,cpuacct:/docker/0123\n2:memory:/', 'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us', '50000\n'],
  ['version 1, by another name', '1:cpu:/\n0::/', 'sys/fs/cgroup/cpu/cpu.cfs_quota_us', '50000'],
])('a quota of half a core is found: %s', (_, groups, file, quota) => {
  const root = rootWith({ 'proc/self/cgroup': groups, [file]: quota });
  if (file.endsWith('_us')) put(root, { [file.replace('quota', 'period')]: '100000\n' });
  expect(new Processor(root).read().allowed).toBe(0.5);
});

test('the narrowest quota counts, and no quota is no limit', () => {
  const service = 'sys/fs/cgroup/a/b';
  const root = rootWith({ 'proc/self/cgroup': '0::/a/b', [`${service}/cpu.max`]: 'max 100000' });
  put(root, { 'sys/fs/cgroup/a/cpu.max': '60000 100000', 'sys/fs/cgroup/cpu.max': '30000 100000' });
  expect(new Processor(root).read().allowed).toBe(0.3);
  const all = Math.min(os.cpus().length, os.availableParallelism());
  const free = rootWith({ 'proc/self/cgroup': '1:cpu:/', 'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1' });
  put(free, { 'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000' });
  expect(new Processor(free).read().allowed).toBe(all);
  // More than the machine has is none.
  expect(
    new Processor(rootWith({ 'proc/self/cgroup': '0::/', 'sys/fs/cgroup/cpu.max': '6400000 100000' })).read().allowed,
  ).toBe(all);
});

test('the share of throttled periods is counted since the last reading', async () => {
  const stat = (periods: number, throttled: number) => ({
    'sys/fs/cgroup/cpu.stat': `usage_usec 9\nnr_periods ${periods}\nnr_throttled ${throttled}\nthrottled_usec 9\n`,
  });
  const root = rootWith({ 'proc/self/cgroup': '0::/', 'sys/fs/cgroup/cpu.max': '50000 100000', ...stat(100, 40) });
  const processor = new Processor(root);
  await later(20);
  expect(processor.read().throttled).toBe(0);
  put(root, stat(110, 43));
  expect(processor.read().throttled).toBe(0.3);
  expect(processor.read().throttled).toBe(0);
});
