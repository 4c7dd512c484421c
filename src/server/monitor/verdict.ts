/**
 * What limits a session, in one sentence: the cause, its figures, and what would help. `verdictOf` is a pure
 * function of numbers, so that each case can be tested; `SteadyVerdict` keeps the verdict from changing every
 * second.
 */

import type { Cause, Verdict } from '../../shared/messages.ts';
import type { Traffic } from '../../shared/traffic.ts';
import type { LaneFigures, Pressure, SlowEngine } from '../../shared/types.ts';

/** All causes of a verdict. */
export const CAUSES: readonly Cause[] = [
  'good',
  'content',
  'size',
  'processor',
  'lane',
  'network',
  'camera',
  'memory',
  'model',
  'faces',
];

/** The machine over the last seconds. */
export interface MachineFigures {
  /** Number of the machine's cores. */
  cores: number;
  /** Number of cores that FaceOff may use. */
  allowed: number;
  /** Cores in use by all programs; 1 is one whole core. */
  busy: number;
  /** Cores in use by FaceOff. */
  own: number;
  /** Share of the time in which a quota stopped FaceOff, 0..1. */
  throttled: number;
  /** Longest delay of the main thread's event loop. */
  loopDelayMs: number;
  pressure: Pressure;
  /** The memory that is shortest. */
  memory: { kind: 'memory' | 'GPU memory'; usedBytes: number; limitBytes: number };
}

/** The figures of a session, from its first frame on, and of the machine. */
export interface SessionFigures {
  wantsSwap: boolean;
  /** Size of the frames, where they are too large to be swapped. */
  tooLarge?: { width: number; height: number };
  /** Number of faces beyond those that are followed. */
  unfollowed?: number;
  /** Frames per second, incoming and outgoing. */
  fpsIn: number;
  fpsOut: number;
  /** Highest rate of the plan, per second; null without a limit. */
  maxFps: number | null;
  plan: string;
  /** Place on the ladder of plans, 0 is full quality. */
  level: number;
  /** Share of the last seconds' frames that were left out because time was short, 0..1. */
  missedShare: number;
  /** Time from the decoder to the encoder, and the part of it that the frame waited for the lane. */
  frameMs: { p50: number; p95: number };
  waitMs: { p50: number; p95: number };
  /** Null before the first frame passed a lane. */
  lane: LaneFigures | null;
  /** The chosen generator, if it is too slow. */
  slowEngine: SlowEngine | null;
  /** Null while there were too few packets. */
  traffic: Traffic | null;
  /** Null before the first sample of the machine. */
  machine: MachineFigures | null;
}

/** A session is short of time from this share of missed frames on. */
const MISSED = 0.1;
/** The processor is full above this share of its cores: they are never all busy at the same moment. */
const FULL_MACHINE = 0.85;
/** A quota is used up above this share of it, or when it stopped FaceOff in this share of its periods. */
const FULL_QUOTA = 0.9;
const THROTTLED = 0.1;
/** Other programs are mentioned from this number of cores on. */
export const OTHERS_CORES = 0.3;
/** A lane is full above this share of its time. */
const FULL_LANE = 0.85;
/** The main thread passes frames on; from this delay on, frames wait for it. */
const HELD_UP_MS = 100;
/** Retransmission compensates less loss than this; the second limit applies when few frames arrive. */
const LOST = 0.03;
const LOST_WITH_FEW = 0.01;
const BURSTS_MS = 40;
/** Cameras deliver 25 or 30 frames per second, in poor light 15 and fewer. */
const FEW_FPS = 18;
/** With a plan that limits the rate, a camera is slow below this share of that rate. */
const FEW_OF_PLAN = 0.75;
/** Usual rate of a camera, per second. */
const CAMERA_FPS = 30;

/**
 * Finds what limits a session. Pure.
 * @param before the current cause; it stays while the plan is below full quality and no other cause is found.
 */
export function verdictOf(figures: SessionFigures, before: Cause = 'good'): Verdict {
  const { machine, slowEngine, wantsSwap, tooLarge, unfollowed = 0 } = figures;
  if (wantsSwap && tooLarge !== undefined) return size(tooLarge);
  if (wantsSwap && figures.level > 0 && machine?.pressure === 'degrade') return memory(figures, machine);
  const short = isShort(figures);
  const few = hasFew(figures);
  const troubled = isTroubled(figures);
  if (short || few || troubled) {
    if (machine !== null && isFull(machine)) return processor(figures, machine);
    if (short && isLaneFull(figures)) return lane(figures);
    if (troubled) return network(figures);
    if (few) return camera(figures);
    if (short && machine !== null && machine.loopDelayMs >= HELD_UP_MS) return heldUp(figures, machine);
  }
  if (wantsSwap && slowEngine !== null) return model(slowEngine);
  if (short) return recovering(figures, before);
  if (wantsSwap && unfollowed > 0) return faces(unfollowed);
  return good(figures);
}

function good({ fpsIn, fpsOut, frameMs }: SessionFigures): Verdict {
  const incoming = Math.round(fpsIn);
  const outgoing = Math.round(fpsOut);
  const text = `${outgoing >= incoming ? 'All' : `${outgoing} of`} ${incoming} pictures a second go out, most within ${ms(frameMs.p95)}.`;
  return { cause: 'good', text };
}

function size({ width, height }: { width: number; height: number }): Verdict {
  const text = `The camera’s pictures, ${width}x${height}, are too large to be swapped; choose a lower resolution, or raise limits.frameWidth and frameHeight.`;
  return { cause: 'size', text };
}

function faces(unfollowed: number): Verdict {
  const more = unfollowed === 1 ? 'One more face is' : `${unfollowed} more faces are`;
  return { cause: 'faces', text: `${more} in the picture than are swapped; raise detection.faces.` };
}

const isShort = ({ wantsSwap, level, missedShare }: SessionFigures): boolean =>
  (wantsSwap && level > 0) || missedShare >= MISSED;

const hasFew = ({ fpsIn, maxFps }: SessionFigures): boolean =>
  fpsIn < Math.min(FEW_FPS, FEW_OF_PLAN * (maxFps ?? Number.POSITIVE_INFINITY));

function isTroubled(figures: SessionFigures): boolean {
  if (figures.traffic === null) return false;
  const { lostIn, lostOut, jitterMs } = figures.traffic;
  return lostIn >= (hasFew(figures) ? LOST_WITH_FEW : LOST) || lostOut >= LOST || jitterMs >= BURSTS_MS;
}

const usesUpQuota = ({ cores, allowed, own, throttled }: MachineFigures): boolean =>
  allowed < cores && (own >= FULL_QUOTA * allowed || throttled >= THROTTLED);

const isFull = (machine: MachineFigures): boolean =>
  machine.busy >= FULL_MACHINE * machine.cores || usesUpQuota(machine);

/** Whether the lane lacks the time for all its streams at their cameras' rate, whatever their current plans are. */
function isLaneFull({ lane, fpsIn, maxFps, frameMs, waitMs }: SessionFigures): boolean {
  const fps = maxFps === null ? fpsIn : CAMERA_FPS;
  const needed = (fps * (frameMs.p50 - waitMs.p50)) / 1000;
  if (lane === null) return needed >= FULL_LANE;
  return Math.max(needed, lane.busy, (lane.streams * fps * lane.frameMs) / 1000) >= FULL_LANE;
}

function memory(figures: SessionFigures, { memory: { kind, usedBytes, limitBytes } }: MachineFigures): Verdict {
  const use = `${gigabytes(usedBytes)} of ${gigabytes(limitBytes)} of ${kind} are in use`;
  const help =
    kind === 'memory' ? 'fewer cameras or a higher memory.rssLimitMb' : 'fewer programs on the GPU or a smaller model';
  return { cause: 'memory', text: `${use}${effect(figures)}; ${help} would help.` };
}

function processor(figures: SessionFigures, machine: MachineFigures): Verdict {
  const { cores, allowed, own } = machine;
  const others = othersOf(machine);
  let text: string;
  if (usesUpQuota(machine)) {
    const use = `FaceOff may use ${figure(allowed)} of this machine’s ${cores} cores and needs more`;
    text = `${use}${effect(figures)}; raise the limit of its container or service, or choose a lower resolution.`;
  } else if (others >= OTHERS_CORES) {
    const use = `Other programs use ${figure(others)} of ${coresOf(cores)}, FaceOff ${figure(own)}`;
    text = `${use}${effect(figures)}; end some, or choose a lower resolution.`;
  } else {
    const use = `FaceOff alone uses ${figure(own)} of ${coresOf(cores)}`;
    text = `${use}${effect(figures)}; fewer cameras or a lower resolution would help.`;
  }
  return { cause: 'processor', text };
}

function heldUp(figures: SessionFigures, { loopDelayMs }: MachineFigures): Verdict {
  const stop = `FaceOff’s main thread stood still for ${ms(loopDelayMs)}`;
  return { cause: 'processor', text: `${stop}${effect(figures)}; fewer cameras and viewers would help.` };
}

function lane(figures: SessionFigures): Verdict {
  const { lane, machine, frameMs, waitMs } = figures;
  if (lane !== null && lane.streams > 1) {
    const isRoom = machine !== null && machine.cores - machine.busy >= 1;
    const share = `${lane.streams} cameras share one lane, which is busy ${percent(lane.busy)} of the time`;
    const help = `fewer cameras${isRoom ? ', more lanes (pipeline.lanes)' : ''} or a lower resolution`;
    return { cause: 'lane', text: `${share}${effect(figures)}; ${help} would help.` };
  }
  const takes = `A picture takes ${ms(lane?.frameMs ?? frameMs.p50 - waitMs.p50)} to swap, of ${ms(1000 / CAMERA_FPS)} that there are`;
  return { cause: 'lane', text: `${takes}${effect(figures)}; a lower resolution or fewer faces would help.` };
}

function network(figures: SessionFigures): Verdict {
  const { traffic, fpsIn } = figures;
  const { lostIn, lostOut, jitterMs } = traffic!;
  const few = hasFew(figures) ? `, and ${Math.round(fpsIn)} pictures a second get through` : '';
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

/** The plan is still below full quality, but nothing is full any more. */
function recovering(figures: SessionFigures, before: Cause): Verdict {
  const was = { processor: 'The processor was full', memory: 'Memory was short' };
  const cause = before === 'processor' || before === 'memory' ? before : 'lane';
  const text = cause === 'lane' ? 'FaceOff had too little time' : was[cause];
  return { cause, text: `${text} a moment ago${effect(figures)}; it does more again by itself.` };
}

/** The part of the sentence that says what the session does without. */
function effect({ wantsSwap, plan, maxFps, level }: SessionFigures): string {
  if (!wantsSwap || level === 0) return '';
  if (plan === 'passthrough') return ', so faces are not swapped just now';
  const reserve = plan.startsWith('reserve') ? ' with mesh' : '';
  if (maxFps !== null) return `, so ${maxFps} pictures a second are swapped${reserve}`;
  return reserve === '' ? ', so less is done to each picture' : ', so mesh serves';
}

/** Number of cores in use by other programs. */
export const othersOf = ({ busy, own }: Pick<MachineFigures, 'busy' | 'own'>): number => Math.max(0, busy - own);

/** "one core", "4 cores". */
export const coresOf = (cores: number): string => (cores === 1 ? 'one core' : `${cores} cores`);
/** A number with at most one decimal. */
export const figure = (value: number): string => String(Math.round(10 * value) / 10);
const ms = (value: number): string => `${Math.round(value)} ms`;
const percent = (share: number): string => `${Math.round(100 * share)} %`;
const gigabytes = (bytes: number): string => `${figure(bytes / 2 ** 30)} GB`;

/** Number of verdicts kept, and how many of them have to agree before the cause changes. */
const REMEMBERED = 4;
const ENOUGH = 3;
/** Observations between two updates of the figures of the same cause. */
const REFRESH = 3;

/**
 * Smooths verdicts: a cause is shown once three of the last four observations found it, so one odd second changes
 * nothing.
 */
export class SteadyVerdict {
  #last: Verdict[] = [];
  #shown: Verdict = { cause: 'good', text: 'No picture has come yet.' };
  /** Observations since the text changed; the figures of the first one are shown at once. */
  #sinceText = REFRESH - 1;

  /** The verdict to show. */
  get verdict(): Verdict {
    return this.#shown;
  }

  /** Takes the verdict of this second and returns the one to show. */
  observe(found: Verdict): Verdict {
    this.#last = [...this.#last, found].slice(-REMEMBERED);
    const cause = this.#cause();
    const newest = this.#last.findLast((one) => one.cause === cause);
    if (newest === undefined) return this.#shown;
    if (cause === this.#shown.cause && ++this.#sinceText < REFRESH) return this.#shown;
    this.#sinceText = 0;
    this.#shown = newest;
    return this.#shown;
  }

  #cause(): Cause {
    const times = (cause: Cause): number => this.#last.filter((one) => one.cause === cause).length;
    const clear = CAUSES.find((cause) => times(cause) >= ENOUGH);
    if (clear !== undefined) return clear;
    // Limited all the time, but by changing causes: the newest one is shown.
    const limits = this.#last.filter(({ cause }) => cause !== 'good');
    return this.#shown.cause === 'good' && limits.length >= ENOUGH ? limits.at(-1)!.cause : this.#shown.cause;
  }
}

/** The verdict on a stream that the content check hides: for what it shows, or because it is not checked. */
export const hiddenVerdict = (reason: 'blocked' | 'unchecked'): Verdict => ({
  cause: 'content',
  text:
    reason === 'blocked'
      ? 'The picture is hidden, because the content check takes it for pornography; it ends some seconds after that.'
      : 'The picture is hidden, because the content check does not work and the stream never shows a real face.',
});
