import { describe, expect, test } from 'vitest';
import { Semaphore } from '../../../../src/lib/semaphore.ts';
import { Intake } from '../../../../src/server/session/intake.ts';
import { Opening } from '../../../../src/server/session/opening.ts';
import { Pacer } from '../../../../src/server/session/pacer.ts';
import type { Frame, SwappedFrame } from '../../../../src/shared/types.ts';

const frameAt = (receivedAtMs: number): Frame => ({ width: 2, height: 2, data: new Uint8Array(6), receivedAtMs });
const doneAt = (atMs: number, patch: Partial<SwappedFrame> = {}): SwappedFrame => ({
  frame: frameAt(atMs),
  result: 'passed',
  hold: false,
  faces: [],
  stagesMs: {},
  waitMs: 0,
  plan: 'full',
  level: 0,
  ...patch,
});
const camera = (fps: number, seconds: number, jitterMs = 0): number[] =>
  Array.from({ length: fps * seconds }, (_, i) => (i * 1000) / fps + (i % 2 === 0 ? jitterMs : -jitterMs));

describe('a pacer', () => {
  test.each([
    [30, 24],
    [30, 20],
    [30, 15],
    [30, 12],
    [25, 20],
    [60, 24],
  ])('takes from %i pictures a second %i', (comes, fps) => {
    const pacer = new Pacer();
    pacer.fps = fps;
    for (const jitterMs of [0, 4]) {
      const taken = camera(comes, 20, jitterMs)
        .map((atMs) => atMs + jitterMs * 1e6)
        .filter((atMs) => pacer.takes(atMs));
      expect(taken.length / 20).toBeGreaterThan(fps - 0.5);
      expect(taken.length / 20).toBeLessThan(fps + 0.5);
      const gaps = taken.slice(1).map((atMs, i) => atMs - taken[i]!);
      // No more than one picture of the camera away from even.
      expect(Math.max(...gaps)).toBeLessThan(1000 / fps + 1000 / comes + 3 * jitterMs);
    }
  });

  test('takes all where no rate is set, or fewer come', () => {
    const pacer = new Pacer();
    expect(camera(30, 2).every((atMs) => pacer.takes(atMs))).toBe(true);
    pacer.fps = 20;
    expect(camera(15, 10, 3).filter((atMs) => pacer.takes(atMs + 5000))).toHaveLength(150);
  });

  test('does not make up for a pause', () => {
    const pacer = new Pacer();
    pacer.fps = 10;
    pacer.takes(0);
    const taken = camera(30, 1).filter((atMs) => pacer.takes(60_000 + atMs));
    expect(taken.length).toBeLessThanOrEqual(11);
  });
});

test('a free lane takes the newest of the frames that came meanwhile', async () => {
  const lane = new Semaphore(1);
  const leave = await lane.take();
  const went: number[] = [];
  const intake = new Intake(
    async ({ receivedAtMs }) => {
      went.push(receivedAtMs);
      return null;
    },
    () => undefined,
    () => lane.take(),
  );
  const frames = [0, 10, 20].map(frameAt);
  for (const frame of frames) intake.put(frame);
  await new Promise(setImmediate);
  expect(went).toEqual([]);
  leave();
  leave();
  await new Promise(setImmediate);
  expect(went).toEqual([20]);
  // What was left out is given back at once; what went in is not.
  expect(frames.map(({ data }) => data.length)).toEqual([0, 0, 6]);
  // The place was given back once: one can be had, another not.
  await lane.take();
  const second = lane.take().then(() => 'second');
  expect(await Promise.race([second, new Promise((resolve) => setImmediate(resolve, 'none'))])).toBe('none');
});

test("the newest frame waits, replaced ones are counted and reported, and the lane's rate is kept", async () => {
  const went: [number, number][] = [];
  let left = 0;
  let answer: (done: SwappedFrame | null) => void = () => undefined;
  const intake = new Intake(
    ({ receivedAtMs }, dropped) => {
      went.push([receivedAtMs, dropped]);
      return new Promise((resolve) => {
        answer = resolve;
      });
    },
    () => left++,
  );
  for (const atMs of [0, 10, 20, 30]) intake.put(frameAt(atMs));
  answer(doneAt(0, { fps: 10 }));
  await new Promise(setImmediate);
  expect(went).toEqual([
    [0, 0],
    [30, 2],
  ]);
  expect(left).toBe(2);
  expect(intake.fps).toBe(10);
  answer(null);
  await new Promise(setImmediate);
  intake.put(frameAt(40));
  intake.put(frameAt(60));
  await new Promise(setImmediate);
  // Left out on purpose: the lane does not hear of it.
  expect(went).toHaveLength(3);
  expect(left).toBe(3);
});

describe('a stream that wants a face', () => {
  test('begins with a swapped picture', () => {
    const opening = new Opening();
    expect(opening.holds(doneAt(0), true)).toBe(true);
    expect(opening.holds(doneAt(500, { result: 'failed' }), true)).toBe(true);
    expect(opening.holds(doneAt(533, { result: 'swapped' }), true)).toBe(false);
    expect(opening.holds(doneAt(566), true)).toBe(false);
  });

  test('shows the camera after a second without a face', () => {
    const opening = new Opening();
    expect(opening.holds(doneAt(100), true)).toBe(true);
    expect(opening.holds(doneAt(1000), true)).toBe(true);
    expect(opening.holds(doneAt(1133), true)).toBe(false);
  });

  test('waits longer for a face that is being prepared, but not without limit', () => {
    const opening = new Opening();
    expect(opening.holds(doneAt(0, { awaitsFace: true }), true)).toBe(true);
    expect(opening.holds(doneAt(4000, { awaitsFace: true }), true)).toBe(true);
    expect(opening.holds(doneAt(5100, { awaitsFace: true }), true)).toBe(false);
  });

  test('holds nothing where no face is chosen, nor when one is chosen later', () => {
    const opening = new Opening();
    expect(opening.holds(doneAt(0), false)).toBe(false);
    expect(opening.holds(doneAt(33), true)).toBe(false);
  });
});
