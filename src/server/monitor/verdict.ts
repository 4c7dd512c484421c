/**
 * What limits a session, in one sentence: the cause, its figures, and what would help. A verdict is made of plain numbers, so
 * that each case can be tested; `Steady` keeps it from changing with every second.
 */

import type { Cause, Verdict } from '../../shared/messages.ts';
import type { LaneFigures, Pressure, SlowEngine } from '../../shared/types.ts';

export const CAUSES: readonly Cause[] = ['good', 'processor', 'lane', 'network', 'camera', 'memory', 'model'];

/** The machine over the last seconds; cores as a number, 1 is one core. */
export interface MachineFigures {
  /** Cores of the machine, how many of them FaceOff may use, how many all programs use, and FaceOff alone. */
  cores: number;
  allowed: number;
  busy: number;
  own: number;
  /** Share of the time in which a quota stopped FaceOff, 0..1. */
  throttled: number;
  /** The longest that the main thread's event loop was held up. */
  loopDelayMs: number;
  pressure: Pressure;
  /** The memory that is shortest. */
  memory: { kind: 'memory' | 'GPU memory'; usedBytes: number; limitBytes: number };
}

/** How a session's packets fared in the last seconds. */
export interface Traffic {
  /** Shares of the packets that were lost on the way here and on the way back, 0..1. */
  lostIn: number;
  lostOut: number;
  /** By how much packets come early or late, on average. */
  jitterMs: number;
}

/** What is known of a session when it is looked at, from its first picture on. */
export interface SessionFigures {
  wantsSwap: boolean;
  /** Pictures a second. */
  fpsIn: number;
  fpsOut: number;
  /** The most that are to come, by the plan; null for all. */
  maxFps: number | null;
  plan: string;
  /** Place on the ladder of plans, 0 is full quality. */
  level: number;
  /** Share of the pictures of the last seconds that were left out for want of time, 0..1. */
  missedShare: number;
  /** From the decoder to the encoder, and the part of it spent waiting for the lane. */
  frameMs: { p50: number; p95: number };
  waitMs: { p50: number; p95: number };
  /** Null while no frame has been through a lane. */
  lane: LaneFigures | null;
  /** The generator that is wanted and takes too long, if it does. */
  slowEngine: SlowEngine | null;
  /** Null while too little has come to tell. */
  traffic: Traffic | null;
  /** Null before the first look at the machine. */
  machine: MachineFigures | null;
}

/** As many pictures left out for want of time, and the session is short of it. */
const MISSED = 0.1;
/** The processor is full above this share of its cores: its cores are never all busy at the same moment. */
const FULL_MACHINE = 0.85;
/** A quota is used up above this share of it, or when it stopped FaceOff in so many of its periods. */
const FULL_QUOTA = 0.9;
const THROTTLED = 0.1;
/** Other programs are worth a word from so many cores on. */
export const OTHERS_CORES = 0.3;
/** A lane is full above this share of its time. */
const FULL_LANE = 0.85;
/** The main thread hands frames on: when it is held up for so long, frames wait. */
const HELD_UP_MS = 100;
/** Retransmission makes up for less loss than this; with few pictures less is enough to be the reason. */
const LOST = 0.03;
const LOST_WITH_FEW = 0.01;
const BURSTS_MS = 40;
/** Cameras give 25 or 30 pictures a second, in poor light 15 and fewer. */
const FEW_FPS = 18;
/** Where the plan asks for fewer, a camera that gives less than this share of them gives few. */
const FEW_OF_PLAN = 0.75;
/** What a camera usually gives. */
const CAMERA_FPS = 30;

/** @param before the cause that is told now: it stays while the plan is still below full quality and nothing else is found. */
export function verdictOf(look: SessionFigures, before: Cause = 'good'): Verdict {
  const { machine, slowEngine, wantsSwap } = look;
  if (wantsSwap && look.level > 0 && machine?.pressure === 'degrade') return memory(look, machine);
  const [short, few, troubled] = [isShort(look), hasFew(look), isTroubled(look)];
  if (short || few || troubled) {
    if (machine !== null && isFull(machine)) return processor(look, machine);
    if (short && isLaneFull(look)) return lane(look);
    if (troubled) return network(look);
    if (few) return camera(look);
    if (short && machine !== null && machine.loopDelayMs >= HELD_UP_MS) return heldUp(look, machine);
  }
  if (wantsSwap && slowEngine !== null) return model(slowEngine);
  if (short) return recovering(look, before);
  return good(look);
}

function good({ fpsIn, fpsOut, frameMs }: SessionFigures): Verdict {
  const [come, go] = [Math.round(fpsIn), Math.round(fpsOut)];
  const text = `${go >= come ? 'All' : `${go} of`} ${come} pictures a second go out, most within ${ms(frameMs.p95)}.`;
  return { cause: 'good', text };
}

const isShort = ({ wantsSwap, level, missedShare }: SessionFigures): boolean =>
  (wantsSwap && level > 0) || missedShare >= MISSED;

const hasFew = ({ fpsIn, maxFps }: SessionFigures): boolean =>
  fpsIn < Math.min(FEW_FPS, FEW_OF_PLAN * (maxFps ?? Number.POSITIVE_INFINITY));

function isTroubled(look: SessionFigures): boolean {
  if (look.traffic === null) return false;
  const { lostIn, lostOut, jitterMs } = look.traffic;
  return lostIn >= (hasFew(look) ? LOST_WITH_FEW : LOST) || lostOut >= LOST || jitterMs >= BURSTS_MS;
}

const usesUpQuota = ({ cores, allowed, own, throttled }: MachineFigures): boolean =>
  allowed < cores && (own >= FULL_QUOTA * allowed || throttled >= THROTTLED);

const isFull = (machine: MachineFigures): boolean =>
  machine.busy >= FULL_MACHINE * machine.cores || usesUpQuota(machine);

/** Whether the lane has too little time for all its streams at their cameras' rate, on whatever plans they are now. */
function isLaneFull({ lane, fpsIn, maxFps, frameMs, waitMs }: SessionFigures): boolean {
  const fps = maxFps === null ? fpsIn : CAMERA_FPS;
  const needed = (fps * (frameMs.p50 - waitMs.p50)) / 1000;
  if (lane === null) return needed >= FULL_LANE;
  return Math.max(needed, lane.busy, (lane.streams * fps * lane.frameMs) / 1000) >= FULL_LANE;
}

function memory(look: SessionFigures, { memory: { kind, usedBytes, limitBytes } }: MachineFigures): Verdict {
  const use = `${gigabytes(usedBytes)} of ${gigabytes(limitBytes)} of ${kind} are in use`;
  const help =
    kind === 'memory' ? 'fewer cameras or a higher memory.rssLimitMb' : 'fewer programs on the GPU or a smaller model';
  return { cause: 'memory', text: `${use}${effect(look)}; ${help} would help.` };
}

function processor(look: SessionFigures, machine: MachineFigures): Verdict {
  const { cores, allowed, own } = machine;
  const others = othersOf(machine);
  let text: string;
  if (usesUpQuota(machine)) {
    const use = `FaceOff may use ${figure(allowed)} of this machine’s ${cores} cores and needs more`;
    text = `${use}${effect(look)}; raise the limit of its container or service, or choose a lower resolution.`;
  } else if (others >= OTHERS_CORES) {
    const use = `Other programs use ${figure(others)} of ${coresOf(cores)}, FaceOff ${figure(own)}`;
    text = `${use}${effect(look)}; end some, or choose a lower resolution.`;
  } else {
    const use = `FaceOff alone uses ${figure(own)} of ${coresOf(cores)}`;
    text = `${use}${effect(look)}; fewer cameras or a lower resolution would help.`;
  }
  return { cause: 'processor', text };
}

function heldUp(look: SessionFigures, { loopDelayMs }: MachineFigures): Verdict {
  const stop = `FaceOff’s main thread stood still for ${ms(loopDelayMs)}`;
  return { cause: 'processor', text: `${stop}${effect(look)}; fewer cameras and viewers would help.` };
}

function lane(look: SessionFigures): Verdict {
  const { lane, machine, frameMs, waitMs } = look;
  if (lane !== null && lane.streams > 1) {
    const isRoom = machine !== null && machine.cores - machine.busy >= 1;
    const share = `${lane.streams} cameras share one lane, which is busy ${percent(lane.busy)} of the time`;
    const help = `fewer cameras${isRoom ? ', more lanes (pipeline.lanes)' : ''} or a lower resolution`;
    return { cause: 'lane', text: `${share}${effect(look)}; ${help} would help.` };
  }
  const takes = `A picture takes ${ms(lane?.frameMs ?? frameMs.p50 - waitMs.p50)} to swap, of ${ms(1000 / CAMERA_FPS)} that there are`;
  return { cause: 'lane', text: `${takes}${effect(look)}; a lower resolution or fewer faces would help.` };
}

function network(look: SessionFigures): Verdict {
  const { traffic, fpsIn } = look;
  const { lostIn, lostOut, jitterMs } = traffic!;
  const few = hasFew(look) ? `, and ${Math.round(fpsIn)} pictures a second get through` : '';
  const what =
    Math.max(lostIn, lostOut) < LOST_WITH_FEW || (jitterMs >= BURSTS_MS && Math.max(lostIn, lostOut) < LOST)
      ? `Packets come in bursts, ${ms(jitterMs)} early or late`
      : `The network loses ${percent(Math.max(lostIn, lostOut))} of the packets on the way ${lostIn >= lostOut ? 'here' : 'back'}`;
  return { cause: 'network', text: `${what}${few}; a cable, a better Wi-Fi or a lower resolution would help.` };
}

function camera({ fpsIn }: SessionFigures): Verdict {
  if (fpsIn === 0)
    return { cause: 'camera', text: 'The camera gives no pictures just now; look whether it is still on.' };
  const gives = `The camera, or the machine it is on, gives ${Math.round(fpsIn)} pictures a second`;
  return { cause: 'camera', text: `${gives}; more light or a lower resolution would help.` };
}

function model({ model, takesMs, budgetMs }: SlowEngine): Verdict {
  const takes = `${model} takes ${ms(takesMs)} a face, of ${ms(budgetMs)} that there are, so mesh serves`;
  return { cause: 'model', text: `${takes}; a GPU, a smaller model or a higher pipeline.budgetMs would help.` };
}

/** On a lower plan, though nothing is full any more. */
function recovering(look: SessionFigures, before: Cause): Verdict {
  const was = { processor: 'The processor was full', memory: 'Memory was short' };
  const cause = before === 'processor' || before === 'memory' ? before : 'lane';
  const text = cause === 'lane' ? 'FaceOff had too little time' : was[cause];
  return { cause, text: `${text} a moment ago${effect(look)}; it tries more by itself.` };
}

/** What the session has less of. */
function effect({ wantsSwap, plan, maxFps, level }: SessionFigures): string {
  if (!wantsSwap || level === 0) return '';
  if (plan === 'passthrough') return ', so faces are not swapped just now';
  const reserve = plan.startsWith('reserve') ? ' with mesh' : '';
  if (maxFps !== null) return `, so ${maxFps} pictures a second are swapped${reserve}`;
  return reserve === '' ? ', so less is done to each picture' : ', so mesh serves';
}

/** Cores that other programs use. */
export const othersOf = ({ busy, own }: Pick<MachineFigures, 'busy' | 'own'>): number => Math.max(0, busy - own);

export const coresOf = (cores: number): string => (cores === 1 ? 'one core' : `${cores} cores`);
/** One decimal, where it says something. */
export const figure = (value: number): string => String(Math.round(10 * value) / 10);
const ms = (value: number): string => `${Math.round(value)} ms`;
const percent = (share: number): string => `${Math.round(100 * share)} %`;
const gigabytes = (bytes: number): string => `${figure(bytes / 2 ** 30)} GB`;

/** So many looks are remembered, and a cause is told when it was found in so many of them. */
const REMEMBERED = 4;
const ENOUGH = 3;
/** Looks between two changes of the figures of the same cause. */
const REFRESH = 3;

/** Tells a cause that was found again and again: one odd second changes nothing. */
export class SteadyVerdict {
  #looks: Verdict[] = [];
  #told: Verdict = { cause: 'good', text: 'No picture has come yet.' };
  /** The first look's figures are told at once. */
  #sinceText = REFRESH - 1;

  get verdict(): Verdict {
    return this.#told;
  }

  /** @param found by the look of this second. */
  observe(found: Verdict): Verdict {
    this.#looks = [...this.#looks, found].slice(-REMEMBERED);
    const cause = this.#cause();
    const newest = this.#looks.findLast((one) => one.cause === cause);
    if (newest === undefined) return this.#told;
    if (cause === this.#told.cause && ++this.#sinceText < REFRESH) return this.#told;
    this.#sinceText = 0;
    this.#told = newest;
    return this.#told;
  }

  #cause(): Cause {
    const times = (cause: Cause): number => this.#looks.filter((one) => one.cause === cause).length;
    const clear = CAUSES.find((cause) => times(cause) >= ENOUGH);
    if (clear !== undefined) return clear;
    // Limited again and again, now by this and now by that: the newest is as true as the others.
    const limits = this.#looks.filter(({ cause }) => cause !== 'good');
    return this.#told.cause === 'good' && limits.length >= ENOUGH ? limits.at(-1)!.cause : this.#told.cause;
  }
}
