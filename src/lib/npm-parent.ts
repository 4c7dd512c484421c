/**
 * Ends this process with the npm that started it. npm starts commands in a shell and signals that shell alone, and some
 * shells (dash) end on a signal without passing it on, or stay when npm is gone. Either leaves this process with another
 * parent, or its shell with another.
 */

import { readFileSync } from 'node:fs';

/** What npm calls the runs that are this program's: `npx faceoff`, `npm start` and `npm run faceoff`. */
const RUNS = new Set(['npx', 'start', 'faceoff']);
const CHECK_MS = 250;

/** Sends SIGTERM to this process when the npm that runs it has ended; does nothing where npm does not run it. */
export function endWithNpm(): void {
  if (!RUNS.has(process.env.npm_lifecycle_event ?? '')) return;
  const parent = process.ppid;
  const aboveShell = parentOfShell(parent);
  const watch = setInterval(() => {
    if (process.ppid === parent && parentOfShell(parent) === aboveShell) return;
    clearInterval(watch);
    process.kill(process.pid, 'SIGTERM');
  }, CHECK_MS);
  watch.unref();
}

/** The parent of a shell that runs one command; null for any other process, and where there is no /proc. */
function parentOfShell(pid: number): number | null {
  try {
    const [shell, ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    if (!/(^|\/)(ba|da|a|z|k)?sh$/.test(shell ?? '') || !args.includes('-c')) return null;
    return Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  } catch {
    return null;
  }
}
