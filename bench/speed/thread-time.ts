/** Processor time of processes and their threads, read from Linux's /proc. Other systems have none to read. */

import { readdirSync, readFileSync } from 'node:fs';

/** Parts of the server by thread. WebRTC names its threads; those of Node and of the inference share one name. */
export type ServerPart = 'main' | 'lane' | 'decode' | 'encode' | 'network' | 'pacing' | 'other';
/** All parts, in the order that tables have. */
export const PARTS: readonly ServerPart[] = ['main', 'lane', 'decode', 'encode', 'network', 'pacing', 'other'];

const NAMED: Record<string, ServerPart> = {
  DecodingQueue: 'decode',
  // Reassembles received frames, and waits until the next one is due.
  IncomingVideoSt: 'decode',
  EncoderQueue: 'encode',
  // Sockets, encryption and RTP; a second one signals and hardly does anything.
  PeerConnectionF: 'network',
  TaskQueuePacedS: 'pacing',
  rtp_send_contro: 'pacing',
};

/** One thread of a process. */
export interface Thread {
  id: number;
  name: string;
  /** Processor time since the thread began, in seconds. */
  cpuS: number;
}

/** /proc reports hundredths of a second (USER_HZ), whatever the kernel counts in. */
const TICKS_A_SECOND = 100;

/** Name, parent and processor time out of a `stat` file; null where the file is gone. */
function statOf(path: string): { name: string; parent: number; cpuS: number } | null {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return null;
  }
  // The name may hold any character, brackets and spaces too.
  const [from, to] = [text.indexOf('('), text.lastIndexOf(')')];
  const fields = text.slice(to + 2).split(' ');
  const cpuS = (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
  return { name: text.slice(from + 1, to), parent: Number(fields[1]), cpuS };
}

const numbers = (folder: string): number[] => {
  try {
    return readdirSync(folder).map(Number).filter(Number.isInteger);
  } catch {
    return [];
  }
};

/** Whether this system has /proc. */
export const hasProc = (): boolean => statOf('/proc/self/stat') !== null;

/** The threads of a process; none where the process is gone. */
export function threadsOf(pid: number): Thread[] {
  return numbers(`/proc/${pid}/task`).flatMap((id) => {
    const stat = statOf(`/proc/${pid}/task/${id}/stat`);
    return stat === null ? [] : [{ id, name: stat.name, cpuS: stat.cpuS }];
  });
}

/** Ids of a process and of all its descendants. */
export function familyOf(pid: number): number[] {
  const parents = new Map(numbers('/proc').map((id) => [id, statOf(`/proc/${id}/stat`)?.parent]));
  const family = [pid];
  for (const one of family) for (const [id, parent] of parents) if (parent === one) family.push(id);
  return family;
}

/** Processor time of processes with all their threads, in seconds. */
export const cpuOf = (pids: readonly number[]): number =>
  pids.reduce((sum, pid) => sum + (statOf(`/proc/${pid}/stat`)?.cpuS ?? 0), 0);

/** Seconds that all cores together were busy since the machine started. */
export function busyS(): number {
  const [, user, nice, system, , , irq, soft] = readFileSync('/proc/stat', 'utf8').split(/\s+/, 8).map(Number);
  return (user! + nice! + system! + irq! + soft!) / TICKS_A_SECOND;
}

/** The threads of a server at both ends of an interval. */
export interface ThreadInterval {
  pid: number;
  before: readonly Thread[];
  after: readonly Thread[];
  /** Length of the interval, in seconds. */
  forS: number;
  /** Whether a lane swaps; an echo has none. */
  swaps: boolean;
}

/** Cores in use by part over an interval: 1 is one core, busy all the time. */
export function coresByPart({ pid, before, after, forS, swaps }: ThreadInterval): Record<ServerPart, number> {
  const began = new Map(before.map(({ id, cpuS }) => [id, cpuS]));
  const used = after.map(({ id, name, cpuS }) => ({ id, name, cores: (cpuS - (began.get(id) ?? 0)) / forS }));
  // One session has one lane: the busiest thread with the process's name, apart from the main thread.
  const own = used.find(({ id }) => id === pid)?.name;
  const rest = used.filter(({ id, name }) => id !== pid && name === own).sort((a, b) => b.cores - a.cores);
  const lane = swaps ? rest[0]?.id : undefined;
  const parts = Object.fromEntries(PARTS.map((part) => [part, 0])) as Record<ServerPart, number>;
  for (const { id, name, cores } of used)
    parts[id === pid ? 'main' : id === lane ? 'lane' : (NAMED[name] ?? 'other')] += cores;
  return parts;
}
