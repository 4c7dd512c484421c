/** Processor time of processes and their threads, as Linux tells it under /proc; null elsewhere. */

import { readdirSync, readFileSync } from 'node:fs';

/** Parts of the server. WebRTC names its threads; those of Node and the inference all have one name. */
export type ServerPart = 'main' | 'lane' | 'decode' | 'encode' | 'network' | 'pacing' | 'other';
export const PARTS: readonly ServerPart[] = ['main', 'lane', 'decode', 'encode', 'network', 'pacing', 'other'];

const NAMED: Record<string, ServerPart> = {
  DecodingQueue: 'decode',
  // Reassembles what came, and waits for the time of the next picture.
  IncomingVideoSt: 'decode',
  EncoderQueue: 'encode',
  // Sockets, encryption and RTP; a second one signals and hardly does anything.
  PeerConnectionF: 'network',
  TaskQueuePacedS: 'pacing',
  rtp_send_contro: 'pacing',
};

export interface Thread {
  id: number;
  name: string;
  /** Seconds since it began. */
  cpuS: number;
}

/** Linux counts in hundredths for those who read, whatever it counts in itself. */
const TICKS_A_SECOND = 100;

/** Name, parent and processor time out of a `stat` file; null where it is gone. */
function statOf(path: string): { name: string; parent: number; cpuS: number } | null {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return null;
  }
  // The name may hold anything, brackets and spaces too.
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

export const canTell = (): boolean => statOf('/proc/self/stat') !== null;

export function threadsOf(pid: number): Thread[] {
  return numbers(`/proc/${pid}/task`).flatMap((id) => {
    const stat = statOf(`/proc/${pid}/task/${id}/stat`);
    return stat === null ? [] : [{ id, name: stat.name, cpuS: stat.cpuS }];
  });
}

/** A process and all that came out of it. */
export function familyOf(pid: number): number[] {
  const parents = new Map(numbers('/proc').map((id) => [id, statOf(`/proc/${id}/stat`)?.parent]));
  const family = [pid];
  for (const one of family) for (const [id, parent] of parents) if (parent === one) family.push(id);
  return family;
}

/** Seconds of processes, each with all its threads. */
export const cpuOf = (pids: readonly number[]): number =>
  pids.reduce((sum, pid) => sum + (statOf(`/proc/${pid}/stat`)?.cpuS ?? 0), 0);

/** Seconds that all cores together were at work since the machine began, for whomever. */
export function busyS(): number {
  const [, user, nice, system, , , irq, soft] = readFileSync('/proc/stat', 'utf8').split(/\s+/, 8).map(Number);
  return (user! + nice! + system! + irq! + soft!) / TICKS_A_SECOND;
}

/** Cores in use by part between two looks. @param swaps whether a lane works. */
export function coresByPart(
  pid: number,
  before: readonly Thread[],
  after: readonly Thread[],
  forS: number,
  swaps: boolean,
): Record<ServerPart, number> {
  const began = new Map(before.map(({ id, cpuS }) => [id, cpuS]));
  const used = after.map(({ id, name, cpuS }) => ({ id, name, cores: (cpuS - (began.get(id) ?? 0)) / forS }));
  // One session has one lane: of those that bear the process's name, the busiest beside the main one.
  const own = used.find(({ id }) => id === pid)?.name;
  const rest = used.filter(({ id, name }) => id !== pid && name === own).sort((a, b) => b.cores - a.cores);
  const lane = swaps ? rest[0]?.id : undefined;
  const parts = Object.fromEntries(PARTS.map((part) => [part, 0])) as Record<ServerPart, number>;
  for (const { id, name, cores } of used)
    parts[id === pid ? 'main' : id === lane ? 'lane' : (NAMED[name] ?? 'other')] += cores;
  return parts;
}
