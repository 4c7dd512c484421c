/** What a process holds, read from Linux's /proc and from its metrics. */

import { readdirSync, readFileSync } from 'node:fs';
import { familyOf } from '../speed/thread-time.ts';

/** What a server holds at one moment. */
export interface Held {
  rssMiB: number;
  /** Objects of the main thread's heap that are in use or not yet collected. */
  heapMiB: number;
  /** Memory outside the heap that belongs to objects of the main thread's heap. */
  externalMiB: number;
  descriptors: number;
  threads: number;
  /** Processes that it started and that still run, those that they started included. */
  children: number;
}

const MIB = 2 ** 20;

/** @param url of the server, whose /metrics is asked. @throws Error where the process is gone. */
export async function heldBy(pid: number, url: string): Promise<Held> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  const metric = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)?.[1]);
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
  return {
    rssMiB: field('VmRSS') / 1024,
    heapMiB: metric('nodejs_heap_size_used_bytes') / MIB,
    externalMiB: metric('nodejs_external_memory_bytes') / MIB,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    threads: field('Threads'),
    children: familyOf(pid).length - 1,
  };
}
