import { expect, test } from 'vitest';
import { WorkerWatch } from '../../../../src/client/cluster/worker-watch.ts';

/** Times, in milliseconds, at which another worker is asked for, looked at four times a second. */
function asks(framesAt: (nowMs: number) => number, hasJobAt: (nowMs: number) => boolean, untilMs: number): number[] {
  const watch = new WorkerWatch(0);
  const asked: number[] = [];
  for (let nowMs = 0; nowMs <= untilMs; nowMs += 250)
    if (watch.needsWorker({ frames: framesAt(nowMs), hasJob: hasJobAt(nowMs), nowMs })) asked.push(nowMs);
  return asked;
}

test('a camera that no worker takes asks after a second and a half, and each second from then on', () => {
  expect(
    asks(
      () => 0,
      () => false,
      4000,
    ),
  ).toEqual([1500, 2500, 3500]);
});

test('a job gets time for its first picture, as another dispatch would end it', () => {
  expect(
    asks(
      () => 0,
      (nowMs) => nowMs > 500,
      7000,
    ),
  ).toEqual([6000, 7000]);
});

test('pictures that stop are missed after a second', () => {
  expect(
    asks(
      (nowMs) => Math.min(nowMs, 5000),
      () => true,
      8000,
    ),
  ).toEqual([6000, 7000, 8000]);
});

test('pictures that come are not missed, also of a track that counts anew', () => {
  expect(
    asks(
      (nowMs) => nowMs % 3000,
      () => true,
      9000,
    ),
  ).toEqual([]);
});

test('tells whether pictures come', () => {
  const watch = new WorkerWatch(0);
  expect(watch.isMoving(0)).toBe(false);
  watch.needsWorker({ frames: 3, hasJob: true, nowMs: 100 });
  expect([watch.isMoving(1000), watch.isMoving(1100)]).toEqual([true, false]);
});
