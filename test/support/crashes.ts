/** Ends lane threads and device processes from outside, as a defect would: Node tells of each one that starts. */

import type { ChildProcess } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import type { Worker } from 'node:worker_threads';

const threads = new Set<Worker>();
const processes = new Set<ChildProcess>();

subscribe('worker_threads', (message) => {
  const { worker } = message as { worker: Worker };
  threads.add(worker);
  worker.once('exit', () => threads.delete(worker));
});
subscribe('child_process', (message) => {
  const { process } = message as { process: ChildProcess };
  processes.add(process);
  process.once('exit', () => processes.delete(process));
});

/** Ends the oldest thread, a pool's first lane, between two frames: it fails at a message that is none. */
export async function killLane(): Promise<void> {
  const [worker] = threads;
  if (worker === undefined) throw new Error('There is no thread to kill.');
  const gone = new Promise((resolve) => worker.once('exit', resolve));
  worker.postMessage(null);
  await gone;
}

/** Ends the device processes at once. */
export function killDevice(): void {
  const devices = [...processes].filter(({ spawnargs }) => spawnargs.some((arg) => arg.endsWith('device.js')));
  if (devices.length === 0) throw new Error('There is no device process to kill.');
  for (const device of devices) device.kill('SIGKILL');
}
