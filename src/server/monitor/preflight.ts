import { inEnglish, type Phrase, phrase } from '../../shared/language/phrase.ts';
import type { Preflight } from '../../shared/messages.ts';
import { MESH } from '../../shared/settings.ts';
import { type Capacity, MOST_BUSY } from '../../shared/types.ts';
import { figure, type MachineFigures, OTHERS_CORES, othersOf } from './verdict.ts';

/** What the estimate is based on. */
export interface PreflightFigures {
  /** Null while nothing was measured. */
  capacity: Capacity | null;
  /** Null before the first sample of the machine. */
  machine: MachineFigures | null;
  /** Number of open sessions, and its limit. */
  open: number;
  most: number;
  /** The default engine. */
  engine: string;
  /** Number of sessions already limited by processor, lane or memory. */
  limited: number;
  /** Whether FaceOff's processes have a higher priority than other programs. */
  isAhead: boolean;
}

/** Usual rates of streams, per second, highest first. */
const RATES = [30, 24, 20, 15, 12, 10];
/** Processor time for receiving, decoding, encoding and sending a frame of 640×480, without the lane. */
const CARRY_MS = 7;
/** Share of the idle processor that the estimate may plan with. */
const MOST_IDLE = 0.9;
/**
 * Share of their processor time that other programs keep under competition, at equal priority and when FaceOff's is
 * higher.
 */
const KEPT = 0.75;
const KEPT_AHEAD = 0.1;

/**
 * Estimates how many further cameras the machine can swap now, and at which rate, from measurements of lanes and
 * processor.
 */
export function preflight({ capacity, machine, open, most, engine, limited, isAhead }: PreflightFigures): Preflight {
  const places = Math.max(0, most - open);
  if (places === 0)
    return estimate(
      0,
      null,
      most === 1 ? phrase('The only place is taken.') : phrase('All {{places}} places are taken.', { places: most }),
    );
  if (capacity === null || capacity.swapMs === null || machine === null) {
    const cameras = camerasOf(places, open);
    return estimate(
      places,
      null,
      phrase('There is room for {{cameras}}; it was not measured yet how fast this machine swaps.', { cameras }),
    );
  }
  const { swapMs, lanes } = capacity;
  const free = lanes.map((busy) => Math.max(0, MOST_BUSY - busy));
  const others = othersOf(machine);
  /** Number of further cameras at a rate. @param taken cores that other programs keep. */
  const camerasAt = (fps: number, taken: number): number => {
    const inLanes = free.reduce((sum, share) => sum + Math.floor((1000 * share) / (fps * swapMs)), 0);
    const cores = Math.min(machine.cores - taken, machine.allowed) - machine.own;
    return Math.min(places, inLanes, Math.floor((1000 * MOST_IDLE * Math.max(0, cores)) / (fps * (swapMs + CARRY_MS))));
  };
  const best = (taken: number): { fps: number; sessions: number } | undefined =>
    RATES.map((fps) => ({ fps, sessions: camerasAt(fps, taken) })).find(({ sessions }) => sessions > 0);
  const now = limited > 0 ? undefined : best(others * (isAhead ? KEPT_AHEAD : KEPT));
  const alone = best(0);
  const why =
    others >= OTHERS_CORES && (now?.fps !== alone?.fps || now?.sessions !== alone?.sessions)
      ? othersUse(figure(others), machine.cores)
      : null;
  if (now === undefined) {
    const already = phrase('it swaps {{cameras}} already', { cameras: camerasOf(open, 0) });
    const reason = why ?? (open > 0 ? already : phrase('a swap takes too long here'));
    const said =
      open > 0
        ? phrase('This machine has no time for another camera now: {{reason}}.', { reason })
        : phrase('This machine has no time for a camera now: {{reason}}.', { reason });
    return estimate(0, 0, said);
  }
  const values = {
    cameras: camerasOf(now.sessions, open),
    fps: now.fps,
    why: why === null ? '' : phrase('; {{reason}}', { reason: why }),
  };
  return estimate(
    now.sessions,
    now.fps,
    engine === MESH
      ? phrase('This machine can swap {{cameras}} at about {{fps}} pictures a second{{why}}.', values)
      : phrase('This machine can swap {{cameras}} at about {{fps}} pictures a second with mesh{{why}}.', values),
  );
}

const estimate = (sessions: number, fps: number | null, said: Phrase): Preflight => ({
  sessions,
  fps,
  text: inEnglish(said),
  said,
});

/** Cores that other programs use, of those there are. */
const othersUse = (others: number, cores: number): Phrase =>
  cores === 1
    ? phrase('other programs use {{others}} of its one core', { others })
    : phrase('other programs use {{others}} of its {{cores}} cores', { others, cores });

/** "one camera", "2 more cameras". @param open number of open sessions. */
function camerasOf(count: number, open: number): Phrase {
  if (count === 1) return open > 0 ? phrase('one more camera') : phrase('one camera');
  const values = { cameras: count };
  return open > 0 ? phrase('{{cameras}} more cameras', values) : phrase('{{cameras}} cameras', values);
}
