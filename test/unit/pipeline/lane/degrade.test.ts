import { describe, expect, test } from 'vitest';
import { Degrader } from '../../../../src/pipeline/lane/degrade.ts';
import { LaneLoad } from '../../../../src/pipeline/lane/lane-load.ts';
import { ladderFor } from '../../../../src/pipeline/lane/quality-ladder.ts';
import { type Course, fpsOf, recorded, run, steady } from '../../../support/machine.ts';

const MINUTE_MS = 60_000;
const FPS = 30;
const only = ([course]: Course[]): Course => course!;
/** One camera for two minutes, whose frames take what the curve says. */
const play = (serviceMs: (atMs: number) => number, toMs = 2 * MINUTE_MS): Course =>
  only(run([{ arrivals: steady(FPS, 0, toMs), serviceMs }]));
const allSwapped = ({ shown }: Course): boolean => shown.every(({ plan }) => plan.swap);
/** Times between a step up and a step down, or the other way, in milliseconds. */
const turns = ({ changes }: Course): number[] => {
  const rate = (name: string): number => (name === 'full' ? FPS : Number.parseInt(name, 10) || 0);
  const isUp = changes.map(({ from, to }) => rate(to) > rate(from));
  return changes.flatMap(({ atMs }, i) => (i > 0 && isUp[i] !== isUp[i - 1] ? [atMs - changes[i - 1]!.atMs] : []));
};

describe('what is no trend changes nothing:', () => {
  test('an easy stream', () => {
    expect(play(() => 8).changes).toEqual([]);
  });

  test('a cold start, in which every frame takes twice the time it has', () => {
    expect(play((atMs) => (atMs < 2500 ? 66 : 7)).changes).toEqual([]);
  });

  test('a pause for a garbage collection every other second', () => {
    expect(play((atMs) => (atMs % 2000 < 34 ? 180 : 10)).changes).toEqual([]);
  });

  test('a neighbour that has the processor for a second, every ten', () => {
    const course = play((atMs) => (atMs % 10_000 < 1000 ? 90 : 7));
    expect(course.changes).toEqual([]);
    expect(allSwapped(course)).toBe(true);
  });

  test('a camera that stands still for five seconds', () => {
    const arrivals = [...steady(FPS, 0, 20_000), ...steady(FPS, 25_000, MINUTE_MS)];
    expect(only(run([{ arrivals, serviceMs: () => 8 }])).changes).toEqual([]);
  });

  test('a camera whose frames come in pairs, where the lane has time for both', () => {
    const arrivals = steady(15, 0, MINUTE_MS).flatMap((atMs) => [atMs, atMs + 12]);
    expect(only(run([{ arrivals, serviceMs: () => 8 }])).changes).toEqual([]);
  });
});

describe('a machine that is too slow', () => {
  test.each([
    [40, '24 fps'],
    [48, '20 fps'],
    [64, '15 fps'],
    [80, '12 fps'],
    [95, '10 fps'],
  ])('for frames of %i ms swaps every picture at %s', (serviceMs, name) => {
    const course = play(() => serviceMs);
    expect(course.plan.name).toBe(name);
    expect(course.changes).toHaveLength(1);
    expect(allSwapped(course)).toBe(true);
  });

  test('leaves pictures out evenly: at half the rate every second one', () => {
    const { shown } = play(() => 64);
    const times = shown.filter(({ atMs }) => atMs > 10_000).map(({ atMs }) => atMs);
    const gaps = times.slice(1).map((atMs, i) => atMs - times[i]!);
    expect(Math.max(...gaps) - Math.min(...gaps)).toBeLessThan(1);
  });

  test('is left at the rate that was reached where full rate takes more each, and is not tried again at once', () => {
    // Beside a browser on two cores every stage takes longer the more pictures there are: what tempts to go back and forth.
    const course = only(
      run([
        {
          arrivals: steady(FPS, 0, 5 * MINUTE_MS),
          serviceMs: (_atMs, { fps }) => (fps > 24 ? 45 : 14),
        },
      ]),
    );
    expect(allSwapped(course)).toBe(true);
    expect(course.changes.filter(({ atMs }) => atMs > 5000 && atMs < MINUTE_MS).length).toBeLessThanOrEqual(3);
    expect(course.changes.filter(({ atMs }) => atMs >= MINUTE_MS).length).toBeLessThanOrEqual(6);
  });

  test('shows the camera only where not even ten pictures a second can be swapped, and stays there', () => {
    const course = play(() => 150);
    expect(course.changes.map(({ to }) => to)).toEqual(['10 fps', 'passthrough']);
  });
});

describe('a load of a minute', () => {
  const busy = (serviceMs: number) => play((atMs) => (atMs > 20_000 && atMs < 80_000 ? serviceMs : 7), 150_000);

  test.each([40, 60, 90])('in which a frame takes %i ms is answered within five seconds, once', (serviceMs) => {
    const { changes } = busy(serviceMs);
    expect(changes[0]!.atMs - 20_000).toBeLessThan(5000);
    expect(changes.filter(({ atMs }) => atMs < 79_000).length).toBeLessThanOrEqual(3);
  });

  test.each([40, 60, 90, 150])('in which a frame takes %i ms is over: full rate is back within ten seconds', (ms) => {
    const course = busy(ms);
    expect(course.plan.name).toBe('full');
    expect(course.changes.at(-1)!.atMs).toBeLessThan(90_000);
    expect(fpsOf(course, 95_000, 150_000)).toBeGreaterThan(29);
  });

  test('does not turn it up and down faster than every ten seconds, but for a step up that did not hold', () => {
    expect(turns(busy(40)).every((ms) => ms >= 10_000)).toBe(true);
  });
});

describe('as recorded on two cores:', () => {
  test.each([
    ['cold-start', 'a beginning beside a browser'],
    ['half-speed', 'half the processor, browser included'],
    ['neighbours-1s', 'four busy programs for a second'],
    ['neighbours-15s', 'four busy programs for a quarter of a minute'],
  ])('%s (%s) changes nothing', (name) => {
    const course = only(run(recorded(name)));
    expect(course.changes).toEqual([]);
    expect(allSwapped(course)).toBe(true);
  });

  test('four-sessions are all swapped, and none goes up and down', () => {
    const courses = run(recorded('four-sessions'));
    expect(courses.every(allSwapped)).toBe(true);
    expect(courses.flatMap(turns)).toEqual([]);
  });

  // The same frames on a processor that takes several times as long.
  test.each([
    [3, 'half-speed'],
    [4, 'neighbours-15s'],
    [6, 'cold-start'],
  ])('%i times as slow, %s is swapped at a rate that holds', (times, name) => {
    const cameras = recorded(name).map((camera) => ({
      ...camera,
      serviceMs: (atMs: number): number => times * camera.serviceMs(atMs, ladderFor(false, false)[0]!),
    }));
    const course = only(run(cameras));
    expect(allSwapped(course)).toBe(true);
    expect(course.changes.length).toBeLessThanOrEqual(3);
  });
});

describe('several streams of one lane', () => {
  const four = (serviceMs: (atMs: number) => number, guestsToMs: number): Course[] =>
    run(
      [0, 1, 2, 3].map((i) => ({
        arrivals: steady(FPS, 311 * i, i === 0 ? MINUTE_MS : guestsToMs),
        serviceMs,
      })),
    );

  test('that it can hold stay at full rate, also while they begin', () => {
    expect(four(() => 6, MINUTE_MS).map(({ changes }) => changes)).toEqual([[], [], [], []]);
  });

  test('that it cannot hold at full rate are all swapped, every picture', () => {
    const courses = four(() => 19, MINUTE_MS);
    expect(courses.every(allSwapped)).toBe(true);
    expect(Math.min(...courses.map((course) => fpsOf(course, 10_000, MINUTE_MS)))).toBeGreaterThan(8.5);
  });

  test('give the one that stays its full rate back within ten seconds', () => {
    const [first] = four((atMs) => (atMs < 30_000 ? 24 : 7), 30_000);
    expect(first!.plan.name).toBe('full');
    expect(first!.changes.at(-1)!.atMs).toBeLessThan(40_000);
  });

  test('do not take what another one has less of: the one at a lower rate is let up first', () => {
    const lane = new LaneLoad(() => 0);
    const lower = { swappedFps: 12, cameraFps: 30 };
    lane.users.add(lower);
    lane.users.add({ swappedFps: 20, cameraFps: 20 });
    expect(lane.missingFps(30)).toBe(18);
    expect(lane.mayStepUp(0)).toBe(true);
    expect(lane.mayStepUp(1000)).toBe(false);
  });
});

describe('a generator', () => {
  const withReserve = ladderFor(false, true);

  test('that is too slow gives way to its reserve at full rate, and is tried ever more rarely', () => {
    const course = only(
      run([
        {
          ...{ arrivals: steady(FPS, 0, 5 * MINUTE_MS), ladder: withReserve },
          serviceMs: (_atMs, { generate }) => (generate ? 150 : 7),
        },
      ]),
    );
    expect(course.plan.name).toBe('reserve');
    expect(allSwapped(course)).toBe(true);
    const tried = course.changes.filter(({ from }) => from === 'reserve').map(({ atMs }) => atMs);
    expect(tried.length).toBeLessThanOrEqual(5);
  });

  test('that can do twelve pictures a second goes on painting them', () => {
    const course = only(run([{ arrivals: steady(FPS, 0, MINUTE_MS), ladder: withReserve, serviceMs: () => 78 }]));
    expect(course.plan).toMatchObject({ generate: true, fps: 12 });
  });
});

test('stages that may be left out are left out before pictures', () => {
  const degrader = new Degrader(new LaneLoad(() => 0));
  degrader.setLadder(ladderFor(true, false));
  // 50 ms a frame, 30 of them to restore: without, there is time for all.
  for (let atMs = 0; atMs < 6000 && degrader.level === 0; atMs += 50)
    degrader.observe({ nowMs: atMs, dropped: atMs % 100 === 0 ? 1 : 0, serviceMs: 50, optionalMs: 30 });
  expect(degrader.plan.name).toBe('lean');
});

describe('while memory is short', () => {
  const easy = (degrader: Degrader, fromMs: number, toMs: number): number[] => {
    const levels: number[] = [];
    for (let nowMs = fromMs; nowMs < toMs; nowMs += 1000 / FPS) {
      degrader.observe({ nowMs, dropped: 0, serviceMs: 8 });
      levels.push(degrader.level);
    }
    return levels;
  };

  test('a stream is one rung down and does not climb, then it climbs as ever', () => {
    const degrader = new Degrader(new LaneLoad(() => 0));
    easy(degrader, 0, 3000);
    degrader.limitQuality(true, 3000);
    degrader.limitQuality(true, 3100);
    expect(new Set(easy(degrader, 3100, MINUTE_MS))).toEqual(new Set([1]));
    degrader.limitQuality(false, MINUTE_MS);
    expect(degrader.level).toBe(1);
    easy(degrader, MINUTE_MS, MINUTE_MS + 5000);
    expect(degrader.level).toBe(0);
  });

  test('another ladder begins at the floor', () => {
    const degrader = new Degrader(new LaneLoad(() => 0));
    degrader.limitQuality(true, 0);
    degrader.setLadder(ladderFor(true, true));
    expect(degrader.level).toBe(1);
  });
});
