import { describe, expect, test } from 'vitest';
import {
  CAUSES,
  type MachineFigures,
  type SessionFigures,
  SteadyVerdict,
  verdictOf,
} from '../../../../src/server/monitor/verdict.ts';
import { inEnglish } from '../../../../src/shared/language/phrase.ts';
import type { Cause, Verdict } from '../../../../src/shared/messages.ts';
import type { Traffic } from '../../../../src/shared/traffic.ts';

const settled: MachineFigures = {
  cores: 2,
  allowed: 2,
  busy: 0.9,
  own: 0.8,
  throttled: 0,
  loopDelayMs: 5,
  pressure: 'none',
  memory: { kind: 'memory', usedBytes: 2 ** 29, limitBytes: 2 ** 32 },
};
const clear: Traffic = { lostIn: 0, lostOut: 0, jitterMs: 3 };
const well: SessionFigures = {
  wantsSwap: true,
  fpsIn: 30,
  fpsOut: 29.9,
  maxFps: null,
  plan: 'full',
  level: 0,
  missedShare: 0,
  frameMs: { p50: 14, p95: 21.4 },
  waitMs: { p50: 1, p95: 3 },
  lane: { busy: 0.4, frameMs: 12, streams: 1 },
  slowEngine: null,
  traffic: clear,
  machine: settled,
};
const machine = (patch: Partial<MachineFigures>): MachineFigures => ({ ...settled, ...patch });
const look = (patch: Partial<SessionFigures> = {}): SessionFigures => ({ ...well, ...patch });
const at = (fps: number, level: number): Partial<SessionFigures> => ({
  plan: `${fps} fps`,
  level,
  maxFps: fps,
  fpsIn: fps,
});
const judge = (patch: Partial<SessionFigures>, before?: Cause): Verdict => inWords(verdictOf(look(patch), before));
/** A verdict without its phrase, which says the same as its text. */
function inWords({ said, ...verdict }: Verdict): Verdict {
  expect(said && inEnglish(said)).toBe(verdict.text);
  return verdict;
}
const causeOf = (patch: Partial<SessionFigures>, before?: Cause): Cause => judge(patch, before).cause;

describe('a session whose pictures or faces are too many', () => {
  test('is told that its pictures are too large, whatever else limits it', () => {
    const { cause, text } = judge({ tooLarge: { width: 4096, height: 2304 }, fpsIn: 3 });
    expect(cause).toBe('size');
    expect(text).toMatch(/4096x2304.*lower resolution.*limits\.frameWidth/);
  });

  test('is told how many faces are left as they are', () => {
    expect(judge({ unfollowed: 1 })).toEqual({
      cause: 'faces',
      text: 'One more face is in the picture than are swapped; raise detection.faces.',
    });
    expect(judge({ unfollowed: 3 }).text).toMatch(/^3 more faces are /);
  });

  test('is told neither where no swap is wanted', () => {
    expect(causeOf({ unfollowed: 3, tooLarge: { width: 4096, height: 2304 }, wantsSwap: false })).toBe('good');
  });
});

describe('a session that nothing limits', () => {
  test('is good, with its figures', () => {
    expect(judge({})).toEqual({ cause: 'good', text: 'All 30 pictures a second go out, 95 % of them within 21 ms.' });
    expect(judge({ fpsOut: 28.2 }).text).toBe('28 of 30 pictures a second go out, 95 % of them within 21 ms.');
    expect(judge({ machine: null, traffic: null, lane: null }).cause).toBe('good');
  });

  test('is good on a full machine, too, as long as it has what it needs', () => {
    expect(causeOf({ machine: machine({ busy: 2, own: 0.9 }) })).toBe('good');
    expect(causeOf({ lane: { busy: 0.97, frameMs: 12, streams: 1 } })).toBe('good');
  });

  test('may be on any plan where no face is wanted', () => {
    expect(causeOf({ wantsSwap: false, level: 6, plan: 'passthrough' })).toBe('good');
  });

  test.each([
    [0.09, 'good'],
    [0.1, 'processor'],
  ])('of whose pictures %d are left out: %s', (missedShare, cause) => {
    expect(causeOf({ missedShare, machine: machine({ busy: 1.9 }) })).toBe(cause);
  });
});

describe('the processor', () => {
  const short = at(15, 3);
  test('is full by other programs, which are counted', () => {
    expect(judge({ ...short, machine: machine({ busy: 2, own: 0.8 }) })).toEqual({
      cause: 'processor',
      text: 'Other programs use 1.2 of 2 cores, FaceOff 0.8, so 15 pictures a second are swapped; end some, or choose a lower resolution.',
    });
  });

  test('is full by FaceOff itself', () => {
    const { cause, text } = judge({ ...short, machine: machine({ busy: 1.9, own: 1.8 }) });
    expect(cause).toBe('processor');
    expect(text).toMatch(/^FaceOff alone uses 1\.8 of 2 cores, so .*fewer cameras/);
  });

  test('is a single core', () => {
    const single = machine({ cores: 1, allowed: 1, busy: 0.95 });
    expect(judge({ ...short, machine: { ...single, own: 0.4 } }).text).toMatch(
      /^Other programs use 0\.\d of one core, /,
    );
    expect(judge({ ...short, machine: { ...single, own: 0.8 } }).text).toMatch(
      /^FaceOff alone uses 0\.8 of one core, /,
    );
  });

  test.each([
    [2, 1.69, 'lane'],
    [2, 1.7, 'processor'],
    [16, 13.5, 'lane'],
    [16, 13.6, 'processor'],
  ])('of %d cores, %d busy: %s', (cores, busy, cause) => {
    expect(causeOf({ ...short, machine: machine({ cores, allowed: cores, busy }) })).toBe(cause);
  });

  test('has a quota that is used up, or stops FaceOff now and again', () => {
    const container = { cores: 16, allowed: 1, busy: 3, own: 0.95 };
    const { cause, text } = judge({ ...short, machine: machine(container) });
    expect(cause).toBe('processor');
    expect(text).toMatch(
      /^FaceOff may use 1 of this machine’s 16 cores and needs more, so 15 .*limit of its container/,
    );
    expect(causeOf({ ...short, machine: machine({ ...container, own: 0.5 }) })).toBe('lane');
    expect(causeOf({ ...short, machine: machine({ ...container, own: 0.5, throttled: 0.1 }) })).toBe('processor');
    // Without a quota nothing is throttled, and own use is no limit.
    expect(causeOf({ ...short, machine: machine({ cores: 16, allowed: 16, busy: 3, own: 2.5 }) })).toBe('lane');
  });

  test('comes before network and camera: a full machine loses packets and slows browsers, too', () => {
    const full = { machine: machine({ busy: 2 }) };
    expect(causeOf({ ...full, fpsIn: 9 })).toBe('processor');
    expect(causeOf({ ...full, traffic: { ...clear, lostIn: 0.2 } })).toBe('processor');
  });

  test('is not full, but the main thread stood still', () => {
    expect(causeOf({ missedShare: 0.2, machine: machine({ loopDelayMs: 99 }) })).toBe('lane');
    const { cause, text } = judge({ missedShare: 0.2, machine: machine({ loopDelayMs: 180 }) });
    expect(cause).toBe('processor');
    expect(text).toMatch(/stood still for 180 ms/);
  });
});

describe('the lane', () => {
  test('has too little time for one camera', () => {
    expect(judge({ ...at(20, 2), lane: { busy: 0.78, frameMs: 41, streams: 1 } })).toEqual({
      cause: 'lane',
      text: 'A picture takes 41 ms to swap, of 33 ms that there are, so 20 pictures a second are swapped; a lower resolution or fewer faces would help.',
    });
  });

  test('is shared by too many', () => {
    const shared = { busy: 0.96, frameMs: 12, streams: 4 };
    const { cause, text } = judge({ ...at(20, 2), lane: shared, machine: machine({ cores: 8, allowed: 8, busy: 2 }) });
    expect(cause).toBe('lane');
    expect(text).toMatch(/^4 cameras share one lane, which is busy 96 % of the time, .*more lanes/);
    // More lanes help only where a core is idle.
    expect(judge({ ...at(20, 2), lane: shared, machine: machine({ busy: 1.5 }) }).text).not.toMatch(/more lanes/);
  });

  test('is full also when a lower plan keeps it from being busy all the time', () => {
    const eased = { ...at(10, 5), lane: { busy: 0.6, frameMs: 15, streams: 4 } };
    expect(judge(eased).text).toMatch(/^4 cameras share/);
    expect(judge({ ...eased, lane: { busy: 0.3, frameMs: 6, streams: 2 } }).text).toMatch(/a moment ago/);
  });

  test('was short of time a moment ago: the cause stays until full quality is back', () => {
    const eased = { ...at(20, 2), lane: { busy: 0.3, frameMs: 9, streams: 1 } };
    expect(causeOf(eased, 'lane')).toBe('lane');
    expect(causeOf(eased, 'processor')).toBe('processor');
    expect(judge(eased, 'processor').text).toMatch(/^The processor was full a moment ago, so 20/);
    expect(causeOf(eased, 'memory')).toBe('memory');
    expect(causeOf(eased, 'network')).toBe('lane');
  });

  test('names the stages that are left out', () => {
    const lane = { busy: 0.95, frameMs: 41, streams: 1 };
    expect(judge({ lane, plan: 'passthrough', level: 6, maxFps: 15 }).text).toMatch(
      /so faces are not swapped just now/,
    );
    expect(judge({ lane, plan: 'reserve', level: 6 }).text).toMatch(/so mesh serves/);
    expect(judge({ lane, plan: 'lean', level: 1 }).text).toMatch(/so less is done to each picture/);
  });
});

describe('the network', () => {
  test.each([
    [{ lostIn: 0.029 }, 'good'],
    [{ lostIn: 0.03 }, 'network'],
    [{ lostOut: 0.029 }, 'good'],
    [{ lostOut: 0.03 }, 'network'],
    [{ jitterMs: 39 }, 'good'],
    [{ jitterMs: 40 }, 'network'],
  ] as const)('with %o is %s', (traffic, cause) => {
    expect(causeOf({ traffic: { ...clear, ...traffic } })).toBe(cause);
  });

  test('names its effect', () => {
    const text = (traffic: Partial<Traffic>, patch: Partial<SessionFigures> = {}) =>
      judge({ ...patch, traffic: { ...clear, ...traffic } }).text;
    expect(text({ lostIn: 0.08 })).toMatch(/^The network loses 8 % of the packets on the way here; /);
    expect(text({ lostOut: 0.08 })).toMatch(/on the way back/);
    expect(text({ jitterMs: 61 })).toMatch(/^Packets come in bursts, 61 ms early or late/);
    expect(text({ lostIn: 0.05 }, { fpsIn: 9 })).toMatch(/5 % .*, and 9 pictures a second get through/);
  });

  test('is the reason for few pictures already with little loss', () => {
    expect(causeOf({ fpsIn: 9, traffic: { ...clear, lostIn: 0.009 } })).toBe('camera');
    expect(causeOf({ fpsIn: 9, traffic: { ...clear, lostIn: 0.01 } })).toBe('network');
  });

  test('that brings pictures in bursts has some left out', () => {
    expect(causeOf({ missedShare: 0.3, traffic: { ...clear, jitterMs: 60 } })).toBe('network');
  });
});

describe('the camera', () => {
  test.each([
    [18, 'good'],
    [17.9, 'camera'],
    [0, 'camera'],
  ])('that gives %d pictures a second: %s', (fpsIn, cause) => {
    expect(causeOf({ fpsIn })).toBe(cause);
  });

  test('is not to blame for what the plan asks for', () => {
    const slow = { ...at(12, 4), lane: { busy: 0.7, frameMs: 60, streams: 1 } };
    expect(causeOf(slow)).toBe('lane');
    expect(causeOf({ wantsSwap: false, maxFps: 12, fpsIn: 9 })).toBe('good');
    expect(causeOf({ wantsSwap: false, maxFps: 12, fpsIn: 8.9 })).toBe('camera');
  });

  test('may deliver nothing', () => {
    expect(judge({ fpsIn: 9.2 }).text).toMatch(/gives 9 pictures a second; more light/);
    expect(judge({ fpsIn: 0 }).text).toMatch(/no pictures just now/);
  });
});

test('memory that is short comes first, where less is done for it', () => {
  const full = machine({
    pressure: 'degrade',
    busy: 2,
    memory: { kind: 'memory', usedBytes: 3.9 * 2 ** 30, limitBytes: 2 ** 32 },
  });
  expect(judge({ ...at(24, 1), machine: full })).toEqual({
    cause: 'memory',
    text: '3.9 GB of 4 GB of memory are in use, so 24 pictures a second are swapped; fewer cameras or a higher memory.rssLimitMb would help.',
  });
  expect(causeOf({ machine: full })).toBe('good');
  expect(causeOf({ ...at(24, 1), machine: { ...full, pressure: 'release' } })).toBe('processor');
});

test('a generator that takes too long is named, unless another cause comes first', () => {
  const slowEngine = { model: 'inswapper_128', takesMs: 140.2, budgetMs: 33 };
  expect(judge({ slowEngine })).toEqual({
    cause: 'model',
    text: 'inswapper_128 takes 140 ms a face, of 33 ms that there are, so mesh serves; a GPU, a smaller model or a higher pipeline.budgetMs would help.',
  });
  expect(causeOf({ slowEngine, wantsSwap: false })).toBe('good');
  expect(causeOf({ slowEngine, ...at(15, 3), machine: machine({ busy: 2 }) })).toBe('processor');
  expect(causeOf({ slowEngine, fpsIn: 9 })).toBe('camera');
});

test('every verdict is one sentence', () => {
  for (const text of [judge({}), judge({ fpsIn: 5 }), judge(at(15, 3))].map((one) => one.text))
    expect(text).toMatch(/^[A-Z0-9][^.]*(?:\d\.\d[^.]*|pipeline\.lanes[^.]*)*\.$/);
});

describe('a published verdict', () => {
  const found = (cause: Cause, text = `${cause}.`): Verdict => ({ cause, text });
  const told = (causes: Cause[]): Cause[] => {
    const steady = new SteadyVerdict();
    return causes.map((cause) => steady.observe(found(cause)).cause);
  };

  test('needs three of the last four readings', () => {
    expect(told(['lane', 'lane', 'lane'])).toEqual(['good', 'good', 'lane']);
    expect(told(['lane', 'good', 'lane', 'lane'])).toEqual(['good', 'good', 'good', 'lane']);
    expect(told(['lane', 'good', 'lane', 'good', 'lane', 'good'])).not.toContain('lane');
  });

  test('changes only when another cause has as many', () => {
    const lane: Cause[] = ['lane', 'lane', 'lane', 'lane'];
    expect(told([...lane, 'good', 'good', 'good']).slice(4)).toEqual(['lane', 'lane', 'good']);
    expect(told([...lane, 'good', 'lane', 'good', 'lane', 'good']).slice(4)).not.toContain('good');
  });

  test('is not good where causes alternate', () => {
    expect(told(['good', 'lane', 'network', 'lane']).at(-1)).toBe('lane');
    expect(told(['camera', 'lane', 'network']).at(-1)).toBe('network');
  });

  test('begins with the first reading', () => {
    const steady = new SteadyVerdict();
    expect(inWords(steady.verdict)).toEqual({ cause: 'good', text: 'No picture has come yet.' });
    expect(steady.observe(found('lane')).cause).toBe('good');
    expect(steady.observe(found('good', 'All well.')).text).toBe('All well.');
  });

  test('updates its figures occasionally, its cause at once', () => {
    const steady = new SteadyVerdict();
    const texts = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((text) => steady.observe(found('lane', text)).text);
    expect(texts.slice(2)).toEqual(['c', 'c', 'c', 'f', 'f']);
  });

  test('is one of those that metrics count', () => {
    expect(new Set(CAUSES).size).toBe(10);
  });
});
