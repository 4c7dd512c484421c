/**
 * The scheduling priority of FaceOff's processes. A frame that comes late is worth nothing, while most other programs can
 * wait a little, so the system is asked to run FaceOff first.
 */

import { readdirSync } from 'node:fs';
import os from 'node:os';
import type { Logger } from './log.ts';

/** Values of `server.priority`. */
export const PRIORITIES = ['normal', 'above', 'high'] as const;
/** One of PRIORITIES. */
export type Priority = (typeof PRIORITIES)[number];

const { PRIORITY_NORMAL, PRIORITY_ABOVE_NORMAL, PRIORITY_HIGH, PRIORITY_HIGHEST } = os.constants.priority;
/**
 * Windows and macOS run a process of higher priority first; Linux only gives it a larger share. At Node's "above normal" a
 * competing program still gets a sixth of a core, and a frame waits for it; a step further it gets a twenty-fourth.
 */
const STEPS = process.platform === 'linux' ? [PRIORITY_HIGH, PRIORITY_HIGHEST] : [PRIORITY_ABOVE_NORMAL, PRIORITY_HIGH];
/** The nice value of each priority. */
export const NICE: Record<Priority, number> = { normal: PRIORITY_NORMAL, above: STEPS[0]!, high: STEPS[1]! };

/**
 * Raises the priority of this process and its threads; threads that start later inherit it. Logs and goes on where the
 * system refuses it. A process that was started at a lower priority (`nice`) keeps that.
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

/** Gives a child process, which inherited the raised priority, the normal one. */
export function lower(pid: number | undefined): void {
  if (pid !== undefined && os.getPriority() < PRIORITY_NORMAL) setTo(pid, PRIORITY_NORMAL);
}

/** Does nothing for a process or thread that has ended. */
function setTo(id: number, nice: number): void {
  try {
    os.setPriority(id, nice);
  } catch (error) {
    if ((error as { info?: { code?: string } }).info?.code !== 'ESRCH') throw error;
  }
}

/** Ids to raise: on Linux each thread has a priority of its own; elsewhere 0, which stands for the whole process. */
function threads(): number[] {
  return process.platform === 'linux' ? readdirSync('/proc/self/task').map(Number) : [0];
}
