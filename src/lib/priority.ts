/**
 * How FaceOff stands among the programs of its machine. A picture that comes late is worth nothing, while most of what
 * else runs can wait a little, so the system is asked to run FaceOff first.
 */

import { readdirSync } from 'node:fs';
import os from 'node:os';
import type { Logger } from './log.ts';

export const PRIORITIES = ['normal', 'above', 'high'] as const;
export type Priority = (typeof PRIORITIES)[number];

const { PRIORITY_NORMAL, PRIORITY_ABOVE_NORMAL, PRIORITY_HIGH, PRIORITY_HIGHEST } = os.constants.priority;
/**
 * Elsewhere who stands higher runs first; Linux only gives larger shares. At Node's "above normal" a program in the way still
 * gets a sixth of a core, and a frame waits for that; a step further it is a twenty-fourth.
 */
const STEPS = process.platform === 'linux' ? [PRIORITY_HIGH, PRIORITY_HIGHEST] : [PRIORITY_ABOVE_NORMAL, PRIORITY_HIGH];
/** What each asks the system for. */
export const NICE: Record<Priority, number> = { normal: PRIORITY_NORMAL, above: STEPS[0]!, high: STEPS[1]! };

/**
 * Raises this program; threads begun later stand as it does. Where that needs a right that it has not, it says so and goes
 * on; where somebody put it behind others (`nice`) it stays there.
 */
export function raise(priority: Priority, log: Logger): void {
  if (priority === 'normal' || os.getPriority() > PRIORITY_NORMAL) return;
  try {
    for (const thread of threads()) setTo(thread, NICE[priority]);
  } catch {
    const why = 'the system does not let FaceOff run before other programs, so it runs like any of them';
    log.info({ priority }, `${why}; server.priority: normal asks for nothing more`);
  }
}

/** Has a child, which stands as this program does, run like any other. */
export function lower(pid: number | undefined): void {
  if (pid !== undefined && os.getPriority() < PRIORITY_NORMAL) setTo(pid, PRIORITY_NORMAL);
}

/** Does nothing for one that has ended meanwhile. */
function setTo(id: number, nice: number): void {
  try {
    os.setPriority(id, nice);
  } catch (error) {
    if ((error as { info?: { code?: string } }).info?.code !== 'ESRCH') throw error;
  }
}

/** Linux gives each thread a priority of its own; elsewhere 0, this process, is all of them. */
function threads(): number[] {
  return process.platform === 'linux' ? readdirSync('/proc/self/task').map(Number) : [0];
}
