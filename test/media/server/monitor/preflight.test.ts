import { afterAll, beforeAll, expect, test } from 'vitest';
import { type PreflightFigures, preflight } from '../../../../src/server/monitor/preflight.ts';
import type { MachineFigures } from '../../../../src/server/monitor/verdict.ts';
import { inEnglish } from '../../../../src/shared/language/phrase.ts';
import type { Preflight } from '../../../../src/shared/messages.ts';
import { type EchoServer, startEcho } from '../../../support/echo.ts';
import { Publisher } from '../../../support/publisher.ts';

const idle: MachineFigures = {
  cores: 4,
  allowed: 4,
  busy: 0.1,
  own: 0.05,
  throttled: 0,
  loopDelayMs: 5,
  pressure: 'none',
  memory: { kind: 'memory', usedBytes: 2 ** 29, limitBytes: 2 ** 32 },
};
const figures: PreflightFigures = {
  capacity: { swapMs: 12, lanes: [0, 0] },
  machine: idle,
  open: 0,
  most: 8,
  engine: 'mesh',
  limited: 0,
  isAhead: false,
};
const check = (patch: Partial<PreflightFigures>, machine: Partial<MachineFigures> = {}): Omit<Preflight, 'said'> =>
  inWords(preflight({ ...figures, machine: { ...idle, ...machine }, ...patch }));

/** An estimate without its phrase, which says the same as its text. */
function inWords({ said, ...estimate }: Preflight): Omit<Preflight, 'said'> {
  expect(said && inEnglish(said)).toBe(estimate.text);
  return estimate;
}

test('an idle machine holds what its lanes and cores hold', () => {
  expect(check({})).toEqual({
    sessions: 4,
    fps: 30,
    text: 'This machine can swap 4 cameras at about 30 pictures a second.',
  });
  // One lane, or one core.
  expect(check({ capacity: { swapMs: 12, lanes: [0] } }).sessions).toBe(2);
  expect(check({}, { cores: 1, allowed: 1 }).sessions).toBe(1);
});

test('a lane takes whole cameras only, up to four fifths of its time', () => {
  const held = (swapMs: number) => check({ capacity: { swapMs, lanes: [0] } });
  expect([held(13.3).sessions, held(13.4).sessions]).toEqual([2, 1]);
  expect([held(26.6), held(26.7)].map(({ sessions, fps }) => [sessions, fps])).toEqual([
    [1, 30],
    [1, 24],
  ]);
  expect(held(79)).toMatchObject({ sessions: 1, fps: 10 });
  expect(held(81)).toEqual({
    sessions: 0,
    fps: 0,
    text: 'This machine has no time for a camera now: a swap takes too long here.',
  });
});

test('other programs are told where they make a difference', () => {
  const full = { cores: 2, allowed: 2, busy: 1.9, own: 0.1 };
  expect(check({ capacity: { swapMs: 20, lanes: [0] } }, full)).toEqual({
    sessions: 1,
    fps: 15,
    text: 'This machine can swap one camera at about 15 pictures a second; other programs use 1.8 of its 2 cores.',
  });
  expect(check({}, { busy: 3.9, own: 0.1 })).toEqual({
    sessions: 1,
    fps: 30,
    text: 'This machine can swap one camera at about 30 pictures a second; other programs use 3.8 of its 4 cores.',
  });
  expect(check({ capacity: { swapMs: 60, lanes: [0] } }, { ...full, cores: 1, allowed: 1, busy: 1 })).toEqual({
    sessions: 0,
    fps: 0,
    text: 'This machine has no time for a camera now: other programs use 0.9 of its one core.',
  });
  expect(check({}, { busy: 0.6, own: 0.1 }).text).toBe(
    'This machine can swap 4 cameras at about 30 pictures a second.',
  );
  expect(check({ most: 1 }, { busy: 3.9 }).text).not.toMatch(/other programs/);
});

test('other programs keep less where FaceOff runs ahead of them', () => {
  expect(check({ isAhead: true }, { busy: 3.9, own: 0.1 })).toMatchObject({ sessions: 4, fps: 30 });
});

test('sessions that there are already count', () => {
  const busy = { capacity: { swapMs: 12, lanes: [0.4, 0] }, open: 1 };
  expect(check(busy, { busy: 0.7, own: 0.6 })).toMatchObject({
    sessions: 3,
    text: 'This machine can swap 3 more cameras at about 30 pictures a second.',
  });
  expect(check({ capacity: { swapMs: 12, lanes: [0.78, 0.8] }, open: 4 }, { busy: 2, own: 1.9 }).text).toBe(
    'This machine has no time for another camera now: it swaps 4 cameras already.',
  );
  // One more would make it worse for those that are short of time already.
  expect(check({ ...busy, limited: 1 }, { busy: 0.7, own: 0.6 }).text).toBe(
    'This machine has no time for another camera now: it swaps one camera already.',
  );
  expect(check({ open: 7 })).toMatchObject({ sessions: 1 });
  expect(check({ open: 8 })).toEqual({ sessions: 0, fps: null, text: 'All 8 places are taken.' });
  expect(check({ open: 1, most: 1 }).text).toBe('The only place is taken.');
});

test('a quota counts as the machine does', () => {
  expect(check({}, { cores: 16, allowed: 1, own: 0.3 })).toMatchObject({ sessions: 1, fps: 30 });
  expect(check({}, { cores: 16, allowed: 1, own: 0.9 })).toMatchObject({ sessions: 0 });
});

test('a generator that was not measured is not promised', () => {
  expect(check({ engine: 'inswapper_128' }).text).toBe(
    'This machine can swap 4 cameras at about 30 pictures a second with mesh.',
  );
});

test('where nothing was measured only the places are known', () => {
  const text = 'There is room for 8 cameras; it was not measured yet how fast this machine swaps.';
  const nothing = { sessions: 8, fps: null, text };
  expect(check({ capacity: null })).toEqual(nothing);
  expect(check({ capacity: { swapMs: null, lanes: [0] } })).toEqual(nothing);
  expect(inWords(preflight({ ...figures, machine: null }))).toEqual(nothing);
});

let server: EchoServer;
beforeAll(async () => {
  server = await startEcho({ limits: { sessions: 2 } });
});
afterAll(() => server.close());

test('is answered by every server', async () => {
  const ask = async () => (await (await fetch(`${server.url}/api/preflight`)).json()) as Preflight;
  expect(await ask()).toMatchObject({ sessions: 2, fps: null });
  const one = new Publisher();
  one.send(320, 240);
  await one.whip(server.url);
  expect((await ask()).text).toMatch(/^There is room for one more camera;/);
  one.close();
});
