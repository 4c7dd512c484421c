/** One source face changed for another while live. */

import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Lane } from '../../../../src/pipeline/lane/lane.ts';
import type { Frame, SwappedFrame } from '../../../../src/shared/types.ts';
import { copyFrame, cutFrame, group, modelsDir, readFrame, startLane } from '../../../support/lane.ts';
import { swapSettings } from '../../../support/settings.ts';

const settings = swapSettings();
const PART = { left: 1400, top: 130, width: 460, height: 345 };
const FACES = ['astronaut', 'mona-lisa', 'adele-bloch-bauer'] as const;
const FRAME_MS = 33;

let lane: Lane;
let camera: Frame;
/** The camera's pictures while its person moves a little. */
let moving: Frame[];
beforeAll(async () => {
  lane = await startLane(undefined, { crossfadeMs: 300 });
  for (const id of FACES) {
    const picture = await readFrame(path.join(modelsDir, `portraits/${id}.webp`));
    const [face] = await lane.analyse(picture);
    await lane.take(id, await lane.enrol([{ picture, points: face!.points }]));
  }
  const at = (dx: number): Promise<Frame> => cutFrame(group, { ...PART, left: PART.left + dx }, 640, 480);
  camera = await at(0);
  moving = await Promise.all([0, 1, 2, 3, 2, 1].map(at));
});
afterAll(() => lane.end());

/** Mean difference of the luma of two pictures of one size. */
function difference(a: Frame, b: Frame): number {
  let sum = 0;
  const pixels = a.width * a.height;
  for (let p = 0; p < pixels; p++) sum += Math.abs(a.data[p]! - b.data[p]!);
  return sum / pixels;
}

/** Gives a stream pictures at a camera's rate. */
class Camera {
  readonly #stream: string;
  #frames = 0;

  constructor(stream: string) {
    this.#stream = stream;
  }

  swap(picture: Frame): Promise<SwappedFrame> {
    return lane.swap(this.#stream, { ...copyFrame(picture), receivedAtMs: 1000 + FRAME_MS * this.#frames++ });
  }

  /** The last picture of so many. */
  async settle(picture: Frame, frames = 20): Promise<Frame> {
    for (let i = 1; i < frames; i++) await this.swap(picture);
    return (await this.swap(picture)).frame;
  }
}

test('a face that is changed for another becomes it step by step', async () => {
  const live = new Camera('gradual');
  await lane.open('gradual', { ...settings, face: 'astronaut' });
  const before = await live.settle(camera);
  await lane.set('gradual', { ...settings, face: 'mona-lisa' });
  const shown = [before];
  for (let i = 0; i < 12; i++) shown.push((await live.swap(camera)).frame);
  const after = await live.settle(camera);
  await lane.close('gradual');

  const whole = difference(before, after);
  expect(whole).toBeGreaterThan(0.5);
  const left = shown.map((frame) => difference(frame, after));
  for (let i = 1; i < left.length; i++) {
    expect(left[i]!).toBeLessThanOrEqual(left[i - 1]! + 0.02 * whole);
    expect(difference(shown[i]!, shown[i - 1]!)).toBeLessThan(0.3 * whole);
  }
  expect(left[5]!).toBeGreaterThan(0.2 * whole);
  expect(left[5]!).toBeLessThan(0.8 * whole);
  expect(left.at(-1)).toBeLessThan(0.02 * whole);
});

test('what a crossfade ends with is the face as it looks without one', async () => {
  const live = new Camera('faded');
  await lane.open('faded', { ...settings, face: 'astronaut' });
  await live.settle(camera);
  await lane.set('faded', { ...settings, face: 'mona-lisa' });
  const faded = await live.settle(camera);
  await lane.close('faded');

  await lane.open('fresh', { ...settings, face: 'mona-lisa' });
  const fresh = await new Camera('fresh').settle(camera);
  await lane.close('fresh');
  expect(difference(faded, fresh)).toBeLessThan(0.05);
});

test('fifty changes of the face while live show no bare and no torn frame', async () => {
  const live = new Camera('busy');
  await lane.open('busy', { ...settings, face: FACES[0] });
  let last = await live.settle(camera);
  const steps: number[] = [];
  let frames = 0;
  for (let change = 1; change <= 50; change++) {
    await lane.set('busy', { ...settings, face: FACES[change % FACES.length]! });
    // From two changes within one crossfade to a pause after it.
    for (let i = 0; i < 1 + (change % 12); i++) {
      const picture = moving[frames++ % moving.length]!;
      const { frame, result, exposed } = await live.swap(picture);
      expect([result, exposed]).toEqual(['swapped', false]);
      expect(difference(frame, picture), 'not the bare face').toBeGreaterThan(1);
      const moved = difference(picture, moving[(frames + moving.length - 2) % moving.length]!);
      steps.push(difference(frame, last) - moved);
      last = frame;
    }
  }
  await lane.close('busy');
  expect(frames).toBeGreaterThan(250);
  expect(Math.max(...steps)).toBeLessThan(2);
});

test('a crossfade of 0 ms shows the other face in the next frame', async () => {
  await lane.configure({ crossfadeMs: 0 } as Parameters<Lane['configure']>[0]);
  const live = new Camera('at-once');
  await lane.open('at-once', { ...settings, face: 'astronaut' });
  const before = await live.settle(camera);
  await lane.set('at-once', { ...settings, face: 'mona-lisa' });
  const { frame } = await live.swap(camera);
  const after = await live.settle(camera);
  await lane.close('at-once');
  expect(difference(frame, after)).toBeLessThan(0.1 * difference(before, after));
});
