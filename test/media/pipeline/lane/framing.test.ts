/** Framing in a lane: what goes out is a part of the picture that follows the face, swapped as any other. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { distance } from '../../../../src/pipeline/face/embed.ts';
import type { Lane } from '../../../../src/pipeline/lane/lane.ts';
import type { SettingsPatch } from '../../../../src/shared/settings.ts';
import type { Frame, SwappedFrame } from '../../../../src/shared/types.ts';
import { astronaut, copyFrame, cutFrame, group, onGrey, readFrame, startLane } from '../../../support/lane.ts';
import { swapSettings } from '../../../support/settings.ts';
import { openWho } from '../../../support/who.ts';

let lane: Lane;
let camera: Frame;
beforeAll(async () => {
  lane = await startLane();
  const picture = await readFrame(astronaut);
  const [face] = await lane.analyse(picture);
  await lane.take('source', await lane.enrol([{ picture, points: face!.points }]));
  camera = onGrey(await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 200, 150), 640, 480, {
    x: 120,
    y: 120,
  });
});
afterAll(() => lane.end());

/** Swaps the same picture for some seconds, five a second. @returns every answer. */
async function play(patch: SettingsPatch, seconds: number): Promise<SwappedFrame[]> {
  await lane.open('framed', swapSettings({ choice: 'largest', ...patch }));
  const all: SwappedFrame[] = [];
  for (let n = 0; n < 10 * seconds; n++)
    all.push(await lane.swap('framed', { ...copyFrame(camera), receivedAtMs: 1000 + 100 * n }));
  await lane.close('framed');
  return all;
}

test('a part that follows the face is enlarged, and its face is swapped', async () => {
  const [whole] = await play({}, 0.1);
  const all = await play({ framing: 'face', zoom: 1 }, 5);
  const { frame, faces, result, stagesMs } = all.at(-1)!;
  const [before, after] = [whole!.faces[0]!, faces[0]!];
  expect(result).toBe('swapped');
  expect([frame.width, frame.height]).toEqual([640, 480]);
  expect(after.width / before.width).toBeGreaterThan(1.4);
  expect(stagesMs.frame).toBeGreaterThan(0);
  // The box in the answer is where a face is in the picture that goes out.
  const [found] = await lane.analyse(frame);
  const xs = Array.from(found!.points).filter((_, i) => i % 3 === 0);
  const middle = (Math.min(...xs) + Math.max(...xs)) / 2;
  expect(Math.abs(middle - (after.x + after.width / 2))).toBeLessThan(0.2 * after.width);
  const who = await openWho();
  const [source] = await who.embeddings(await readFrame(astronaut));
  const [own] = await who.embeddings(camera);
  const [shown] = await who.embeddings(frame);
  expect(distance(shown!, source!)).toBeLessThan(distance(shown!, own!));
});

test('a framed picture without a swap follows the face, too', async () => {
  const all = await play({ framing: 'face', zoom: 1, on: false }, 5);
  expect(all.at(-1)!.result).toBe('passed');
  expect(all.at(-1)!.faces[0]!.width / all[0]!.faces[0]!.width).toBeGreaterThan(1.4);
});

test('the middle is shown without a search for faces', async () => {
  const all = await play({ framing: 'centre', zoom: 1, on: false }, 5);
  const { frame, stagesMs } = all.at(-1)!;
  expect(stagesMs.detect).toBeUndefined();
  // The middle stays, and the corner is what a quarter of the way was; each pixel becomes two by two.
  const mean = (data: Uint8Array, left: number, top: number, side: number): number => {
    let sum = 0;
    for (let y = top; y < top + side; y++) for (let x = left; x < left + side; x++) sum += data[y * 640 + x]!;
    return sum / side ** 2;
  };
  expect(Math.abs(mean(frame.data, 312, 232, 16) - mean(camera.data, 316, 236, 8))).toBeLessThan(4);
  expect(Math.abs(mean(frame.data, 0, 0, 16) - mean(camera.data, 160, 120, 8))).toBeLessThan(4);
});
