/**
 * How FaceOff stands among the programs of its machine. A picture that comes late is worth nothing, while most of what
 * else runs can wait a little, so the system is asked to run FaceOff first.
 */

import { readdirSync } from 'node:fs';
import os from 'node:os';
import type { Logger } from './log.ts';

export const PRIORITIES = ['normal', 'above', 'high'] as const;
export type Priority = (typeof PRIORITIES)[number];

const { PRIORITY_NORMAL, PRIORITY_ABOVE_NORMAL, PRIORITY_HIGH } = os.constants.priority;
const NICE: Record<Priority, number> = { normal: PRIORITY_NORMAL, above: PRIORITY_ABOVE_NORMAL, high: PRIORITY_HIGH };

/** Raises this program; threads begun later stand as it does. Where that needs a right that it has not, it says so and goes on. */
export function raise(priority: Priority, log: Logger): void {
  if (priority === 'normal') return;
  try {
    for (const thread of threads()) os.setPriority(thread, NICE[priority]);
  } catch {
    log.info({ priority }, 'the system does not let FaceOff run before other programs; it runs like any of them');
  }
}

/** Has a child, which stands as this program does, run like any other. */
export function lower(pid: number | undefined): void {
  try {
    if (pid !== undefined && os.getPriority(pid) < PRIORITY_NORMAL) os.setPriority(pid, PRIORITY_NORMAL);
  } catch {
    // It has ended already.
  }
}

/** Linux gives each thread a priority of its own; elsewhere 0, this process, is all of them. */
function threads(): number[] {
  return process.platform === 'linux' ? readdirSync('/proc/self/task').map(Number) : [0];
}
