/** What this machine can hold now, beside what it does already: an estimate, from what was measured of lanes and processor. */

import type { Preflight } from '../../shared/messages.ts';
import { type Capacity, MESH, MOST_BUSY } from '../../shared/types.ts';
import { coresOf, figure, type MachineFigures, OTHERS_CORES, othersOf } from './verdict.ts';

export interface PreflightFigures {
  /** Null where nothing is known of it. */
  capacity: Capacity | null;
  /** Null before the first look at the machine. */
  machine: MachineFigures | null;
  /** Sessions open now, and the most that there may be. */
  open: number;
  most: number;
  /** What swaps where nothing else is chosen. */
  engine: string;
  /** How many of the sessions are short of processor, lane or memory already. */
  limited: number;
  /** Whether the system runs FaceOff ahead of other programs. */
  isAhead: boolean;
}

/** The rates that streams have, the usual one first. */
const RATES = [30, 24, 20, 15, 12, 10];
/** What receiving, decoding, encoding and sending take of the processor for a picture of 640×480, beside the lane. */
const CARRY_MS = 7;
/** So much of the idle processor may be planned with. */
const MOST_IDLE = 0.9;
/** How much of what other programs use they keep when FaceOff wants it, where all stand alike and where FaceOff runs ahead. */
const KEPT = 0.75;
const KEPT_AHEAD = 0.1;

export function preflight({ capacity, machine, open, most, engine, limited, isAhead }: PreflightFigures): Preflight {
  const places = Math.max(0, most - open);
  if (places === 0)
    return { sessions: 0, fps: null, text: most === 1 ? 'The only place is taken.' : `All ${most} places are taken.` };
  if (capacity === null || capacity.swapMs === null || machine === null) {
    const text = `There is room for ${camerasOf(places, open)}; it was not measured yet how fast this machine swaps.`;
    return { sessions: places, fps: null, text };
  }
  const { swapMs, lanes } = capacity;
  const free = lanes.map((busy) => Math.max(0, MOST_BUSY - busy));
  const others = othersOf(machine);
  /** How many cameras there may be at a rate. @param taken cores that other programs keep. */
  const camerasAt = (fps: number, taken: number): number => {
    const inLanes = free.reduce((sum, share) => sum + Math.floor((1000 * share) / (fps * swapMs)), 0);
    const cores = Math.min(machine.cores - taken, machine.allowed) - machine.own;
    return Math.min(places, inLanes, Math.floor((1000 * MOST_IDLE * Math.max(0, cores)) / (fps * (swapMs + CARRY_MS))));
  };
  const best = (taken: number): { fps: number; sessions: number } | undefined =>
    RATES.map((fps) => ({ fps, sessions: camerasAt(fps, taken) })).find(({ sessions }) => sessions > 0);
  const [now, alone] = [limited > 0 ? undefined : best(others * (isAhead ? KEPT_AHEAD : KEPT)), best(0)];
  const why =
    others >= OTHERS_CORES && (now?.fps !== alone?.fps || now?.sessions !== alone?.sessions)
      ? `other programs use ${figure(others)} of its ${coresOf(machine.cores)}`
      : null;
  if (now === undefined) {
    const reason = why ?? (open > 0 ? `it swaps ${camerasOf(open, 0)} already` : 'a swap takes too long here');
    const text = `This machine has no time for ${open > 0 ? 'another' : 'a'} camera now: ${reason}.`;
    return { sessions: 0, fps: 0, text };
  }
  const by = engine === MESH ? '' : ' with mesh';
  const what = `${camerasOf(now.sessions, open)} at about ${now.fps} pictures a second${by}`;
  return { ...now, text: `This machine can swap ${what}${why === null ? '' : `; ${why}`}.` };
}

/** @param open those there are already. */
function camerasOf(count: number, open: number): string {
  const more = open > 0 ? ' more' : '';
  return count === 1 ? `one${more} camera` : `${count}${more} cameras`;
}
