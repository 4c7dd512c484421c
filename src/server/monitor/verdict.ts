/**
 * What limits a session, in one sentence: the cause, its figures, and what would help. `verdictOf` is a pure
 * function of numbers, so that each case can be tested; `SteadyVerdict` keeps the verdict from changing every
 * second.
 */

import { inEnglish, type Phrase, phrase } from '../../shared/language/phrase.ts';
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

/** A verdict in English, and as a phrase for other languages. */
const verdict = (cause: Cause, said: Phrase): Verdict => ({ cause, text: inEnglish(said), said });

function good({ fpsIn, fpsOut, frameMs }: SessionFigures): Verdict {
  const values = { incoming: Math.round(fpsIn), outgoing: Math.round(fpsOut), within: Math.round(frameMs.p95) };
  return verdict(
    'good',
    values.outgoing >= values.incoming
      ? phrase('All {{incoming}} pictures a second go out, 95 % of them within {{within}} ms.', values)
      : phrase('{{outgoing}} of {{incoming}} pictures a second go out, 95 % of them within {{within}} ms.', values),
  );
}

const size = (picture: { width: number; height: number }): Verdict =>
  verdict(
    'size',
    phrase(
      'The camera’s pictures, {{width}}x{{height}}, are too large to be swapped; choose a lower resolution, or raise limits.frameWidth and frameHeight.',
      picture,
    ),
  );

const faces = (unfollowed: number): Verdict =>
  verdict(
    'faces',
    unfollowed === 1
      ? phrase('One more face is in the picture than are swapped; raise detection.faces.')
      : phrase('{{more}} more faces are in the picture than are swapped; raise detection.faces.', { more: unfollowed }),
  );

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
  const values = { used: gigabytes(usedBytes), limit: gigabytes(limitBytes), effect: effect(figures) };
  return verdict(
    'memory',
    kind === 'memory'
      ? phrase(
          '{{used}} GB of {{limit}} GB of memory are in use{{effect}}; fewer cameras or a higher memory.rssLimitMb would help.',
          values,
        )
      : phrase(
          '{{used}} GB of {{limit}} GB of GPU memory are in use{{effect}}; fewer programs on the GPU or a smaller model would help.',
          values,
        ),
  );
}

function processor(figures: SessionFigures, machine: MachineFigures): Verdict {
  const { cores, allowed } = machine;
  const others = othersOf(machine);
  const values = { own: figure(machine.own), cores, effect: effect(figures) };
  if (usesUpQuota(machine))
    return verdict(
      'processor',
      phrase(
        'FaceOff may use {{allowed}} of this machine’s {{cores}} cores and needs more{{effect}}; raise the limit of its container or service, or choose a lower resolution.',
        { allowed: figure(allowed), cores, effect: values.effect },
      ),
    );
  return verdict(
    'processor',
    others >= OTHERS_CORES ? withOthers({ others: figure(others), ...values }) : alone(values),
  );
}

/** Values of the sentences on a full processor: cores in use of all there are, and what follows. */
type ProcessorValues = { own: number; cores: number; effect: Phrase | string };

const withOthers = (values: ProcessorValues & { others: number }): Phrase =>
  values.cores === 1
    ? phrase(
        'Other programs use {{others}} of one core, FaceOff {{own}}{{effect}}; end some, or choose a lower resolution.',
        values,
      )
    : phrase(
        'Other programs use {{others}} of {{cores}} cores, FaceOff {{own}}{{effect}}; end some, or choose a lower resolution.',
        values,
      );

const alone = (values: ProcessorValues): Phrase =>
  values.cores === 1
    ? phrase(
        'FaceOff alone uses {{own}} of one core{{effect}}; fewer cameras or a lower resolution would help.',
        values,
      )
    : phrase(
        'FaceOff alone uses {{own}} of {{cores}} cores{{effect}}; fewer cameras or a lower resolution would help.',
        values,
      );

const heldUp = (figures: SessionFigures, { loopDelayMs }: MachineFigures): Verdict =>
  verdict(
    'processor',
    phrase('FaceOff’s main thread stood still for {{delay}} ms{{effect}}; fewer cameras and viewers would help.', {
      delay: Math.round(loopDelayMs),
      effect: effect(figures),
    }),
  );

function lane(figures: SessionFigures): Verdict {
  const { lane, machine, frameMs, waitMs } = figures;
  if (lane !== null && lane.streams > 1) {
    const values = { cameras: lane.streams, busy: percent(lane.busy), effect: effect(figures) };
    return verdict(
      'lane',
      machine !== null && machine.cores - machine.busy >= 1
        ? phrase(
            '{{cameras}} cameras share one lane, which is busy {{busy}} % of the time{{effect}}; fewer cameras, more lanes (pipeline.lanes) or a lower resolution would help.',
            values,
          )
        : phrase(
            '{{cameras}} cameras share one lane, which is busy {{busy}} % of the time{{effect}}; fewer cameras or a lower resolution would help.',
            values,
          ),
    );
  }
  return verdict(
    'lane',
    phrase(
      'A picture takes {{takes}} ms to swap, of {{budget}} ms that there are{{effect}}; a lower resolution or fewer faces would help.',
      {
        takes: Math.round(lane?.frameMs ?? frameMs.p50 - waitMs.p50),
        budget: Math.round(1000 / CAMERA_FPS),
        effect: effect(figures),
      },
    ),
  );
}

function network(figures: SessionFigures): Verdict {
  const { traffic, fpsIn } = figures;
  const { lostIn, lostOut, jitterMs } = traffic!;
  const lost = Math.max(lostIn, lostOut);
  const few = hasFew(figures) ? phrase(', and {{fps}} pictures a second get through', { fps: Math.round(fpsIn) }) : '';
  if (lost < LOST_WITH_FEW || (jitterMs >= BURSTS_MS && lost < LOST))
    return verdict(
      'network',
      phrase(
        'Packets come in bursts, {{jitter}} ms early or late{{few}}; a cable, a better Wi-Fi or a lower resolution would help.',
        { jitter: Math.round(jitterMs), few },
      ),
    );
  const values = { lost: percent(lost), few };
  return verdict(
    'network',
    lostIn >= lostOut
      ? phrase(
          'The network loses {{lost}} % of the packets on the way here{{few}}; a cable, a better Wi-Fi or a lower resolution would help.',
          values,
        )
      : phrase(
          'The network loses {{lost}} % of the packets on the way back{{few}}; a cable, a better Wi-Fi or a lower resolution would help.',
          values,
        ),
  );
}

const camera = ({ fpsIn }: SessionFigures): Verdict =>
  verdict(
    'camera',
    fpsIn === 0
      ? phrase('The camera gives no pictures just now; look whether it is still on.')
      : phrase(
          'The camera, or the machine it is on, gives {{fps}} pictures a second; more light or a lower resolution would help.',
          { fps: Math.round(fpsIn) },
        ),
  );

const model = ({ model, takesMs, budgetMs }: SlowEngine): Verdict =>
  verdict(
    'model',
    phrase(
      '{{model}} takes {{takes}} ms a face, of {{budget}} ms that there are, so mesh serves; a GPU, a smaller model or a higher pipeline.budgetMs would help.',
      { model, takes: Math.round(takesMs), budget: Math.round(budgetMs) },
    ),
  );

/** The plan is still below full quality, but nothing is full any more. */
function recovering(figures: SessionFigures, before: Cause): Verdict {
  const values = { effect: effect(figures) };
  if (before === 'processor')
    return verdict(
      before,
      phrase('The processor was full a moment ago{{effect}}; it does more again by itself.', values),
    );
  if (before === 'memory')
    return verdict(before, phrase('Memory was short a moment ago{{effect}}; it does more again by itself.', values));
  return verdict(
    'lane',
    phrase('FaceOff had too little time a moment ago{{effect}}; it does more again by itself.', values),
  );
}

/** The part of the sentence that says what the session does without. */
function effect({ wantsSwap, plan, maxFps, level }: SessionFigures): Phrase | string {
  if (!wantsSwap || level === 0) return '';
  if (plan === 'passthrough') return phrase(', so faces are not swapped just now');
  const isReserve = plan.startsWith('reserve');
  if (maxFps === null) return isReserve ? phrase(', so mesh serves') : phrase(', so less is done to each picture');
  const values = { fps: maxFps };
  return isReserve
    ? phrase(', so {{fps}} pictures a second are swapped with mesh', values)
    : phrase(', so {{fps}} pictures a second are swapped', values);
}

/** Number of cores in use by other programs. */
export const othersOf = ({ busy, own }: Pick<MachineFigures, 'busy' | 'own'>): number => Math.max(0, busy - own);

/** A number with at most one decimal. */
export const figure = (value: number): number => Math.round(10 * value) / 10;
const percent = (share: number): number => Math.round(100 * share);
const gigabytes = (bytes: number): number => figure(bytes / 2 ** 30);

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
  #shown: Verdict = verdict('good', phrase('No picture has come yet.'));
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
export const hiddenVerdict = (reason: 'blocked' | 'unchecked'): Verdict =>
  verdict(
    'content',
    reason === 'blocked'
      ? phrase(
          'The picture is hidden, because the content check takes it for pornography; it comes back some seconds after that is over.',
        )
      : phrase(
          'The picture is hidden, because the content check does not work and the stream never shows a real face.',
        ),
  );
