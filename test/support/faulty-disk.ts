/** Full and read-only disks for a program of its own: mounts that only it sees, gone when it ends. Linux only. */

import { spawnSync } from 'node:child_process';

/** How this system lets a test mount: as itself, or as root of a user namespace. */
const UNSHARE = [
  ['unshare', '-rm'],
  ['unshare', '-m'],
].find(([command, ...args]) => {
  const { status } = spawnSync(command!, [...args, 'mount', '-t', 'tmpfs', 'none', '/mnt']);
  return status === 0;
});

/** Why no disk can be mounted here; null where it can. */
export const whyNoMounts = UNSHARE === undefined ? 'this system lets the tests mount nothing (unshare -rm)' : null;

/** A disk of the given size, filled but for so many kB, that holds the folders `has` already. */
export const fullDisk = (at: string, { kB, freeKb = 0, has = [] }: { kB: number; freeKb?: number; has?: string[] }) =>
  [
    `mkdir -p ${at}`,
    `mount -t tmpfs -o size=${kB}k none ${at}`,
    ...has.map((name) => `mkdir ${at}/${name}`),
    `dd if=/dev/zero of=${at}/filler bs=1k count=${kB} 2>/dev/null; truncate -s -${freeKb}k ${at}/filler`,
  ].join(' && ');

/** A disk that holds nothing and cannot be written. */
export const readOnlyDisk = (at: string): string => `mkdir -p ${at} && mount -t tmpfs -o ro none ${at}`;

/** The prefix that starts a program with these disks. It keeps its process id. */
export const withDisks = (...mounts: string[]): string[] => [
  ...UNSHARE!,
  'sh',
  '-c',
  `${mounts.join(' && ')} && exec "$@"`,
  'sh',
];

/** A path as a program with disks of its own sees it. */
export const seenBy = (pid: number, at: string): string => `/proc/${pid}/root${at}`;
