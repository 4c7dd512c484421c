import { expect, test } from 'vitest';
import type { Detection, Detector } from '../../../../src/pipeline/face/detect.ts';
import { Tracker } from '../../../../src/pipeline/face/track.ts';
import type { Frame } from '../../../../src/shared/types.ts';

const frame: Frame = { width: 640, height: 480, data: new Uint8Array(0), receivedAtMs: 0 };
/** A detection at each of these places. */
const detectorOf = (places: number[]): Detector => {
  const find = async (): Promise<Detection[]> =>
    places.map((x) => ({
      score: 1,
      box: { x, y: 100, width: 50, height: 50 },
      square: { x: x + 25, y: 125, side: 80, angle: 0 },
    }));
  return { find } as unknown as Detector;
};
const trackerOf = (faces: number): Tracker =>
  new Tracker({
    ...{ score: 0.5, minSize: 32, faces, intervalMs: 1000, lostAfterFrames: 3 },
    smoothing: { minCutoffHz: 2, beta: 8 },
  });

test('faces beyond the limit are counted until they are gone', async () => {
  const tracker = trackerOf(2);
  await tracker.detect(frame, detectorOf([0, 100]), 0);
  expect([tracker.tracks.length, tracker.unfollowed]).toEqual([2, 0]);
  await tracker.detect(frame, detectorOf([0, 100, 200, 300]), 1000);
  expect([tracker.tracks.length, tracker.unfollowed]).toEqual([2, 2]);
  await tracker.detect(frame, detectorOf([0, 100]), 2000);
  expect(tracker.unfollowed).toBe(0);
});

test('further faces are looked for with as many tracks as are allowed, too: in every frame where a guard wants it', async () => {
  const tracker = trackerOf(1);
  await tracker.detect(frame, detectorOf([0]), 0);
  expect([tracker.isDetectionDue(999, 1), tracker.isDetectionDue(1000, 1)]).toEqual([false, true]);
  expect(tracker.isDetectionDue(1, 0)).toBe(true);
});
