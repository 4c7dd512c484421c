import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Lane } from '../../src/pipeline/lane.ts';
import { People } from '../../src/pipeline/people.ts';
import type { Frame, SwapSettings } from '../../src/pipeline/types.ts';
import { astronaut, copyFrame, cutFrame, group, readFrame, startLane } from '../support/lane.ts';

const someone = (seed: number): Float32Array =>
  Float32Array.from({ length: 128 }, (_, i) => Math.sin(seed * (i + 1)) / 8);
const alike = (person: Float32Array): Float32Array => person.map((value, i) => value + 0.005 * Math.cos(i));

describe('people', () => {
  test('who comes back is known again, who is new is not', () => {
    const people = new People();
    expect(people.meet(1, someone(1), new Set([1]), 0)).toBe(1);
    expect(people.meet(2, someone(2), new Set([2]), 0)).toBe(2);
    expect(people.meet(3, alike(someone(1)), new Set([3]), 0)).toBe(1);
    expect(people.meet(4, someone(7), new Set([4]), 0)).toBe(4);
  });

  test('nobody is taken for somebody who is still there', () => {
    const people = new People();
    people.meet(1, someone(1), new Set([1]), 0);
    expect(people.meet(2, alike(someone(1)), new Set([1, 2]), 0)).toBe(2);
  });

  test('a person is looked at a few times, with pauses, and then no more', () => {
    const people = new People();
    let looks = 0;
    for (let atMs = 0; atMs < 20_000; atMs += 33) {
      if (!people.wonders(1, atMs)) continue;
      people.meet(1, someone(1), new Set([1]), atMs);
      looks++;
    }
    expect(looks).toBe(3);
  });
});

describe('in a lane', () => {
  const settings: SwapSettings = {
    ...{
      face: 'source',
      choice: 'largest',
      map: {},
      strength: 1,
      shape: 0.8,
      keepEyes: false,
      keepMouth: false,
      fallback: 'passthrough',
    },
  };
  let lane: Lane;
  let one: Frame;
  let other: Frame;
  let both: Frame;
  let nobody: Frame;
  let atMs = 0;
  const show = (frame: Frame) => {
    atMs += 33;
    return lane.swap('stream', { ...copyFrame(frame), receivedAtMs: atMs });
  };

  beforeAll(async () => {
    lane = await startLane();
    const picture = await readFrame(astronaut);
    const [face] = await lane.analyse(copyFrame(picture));
    lane.take('source', lane.enrol([{ picture, points: face!.points }]));
    one = await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 640, 480);
    // The same person small, and another one who is nearer to the camera.
    other = await cutFrame(group, { left: 360, top: 300, width: 340, height: 340 }, 480, 480);
    nobody = { ...one, data: new Uint8Array(one.data.length).fill(128) };
    both = await beside(other, one);
  });
  afterAll(() => lane.end());

  test('the swap stays with the first person when somebody larger comes in', async () => {
    atMs = 0;
    lane.open('stream', settings);
    let id = 0;
    for (let i = 0; i < 10; i++) {
      const { faces } = await show(one);
      id = faces[0]!.track;
    }
    for (let i = 0; i < 12; i++) await show(nobody);
    const seen = [];
    for (let i = 0; i < 30; i++) seen.push((await show(both)).faces);
    const last = seen.at(-1)!;
    expect(last).toHaveLength(2);
    const [larger, smaller] = [...last].sort((p, q) => q.width - p.width) as [(typeof last)[0], (typeof last)[0]];
    expect(smaller).toMatchObject({ track: id, swapped: true });
    expect(larger.swapped).toBe(false);
    lane.close('stream');
  });

  test('a face that comes back is swapped again within three frames, under its old id', async () => {
    atMs = 0;
    lane.open('stream', settings);
    let id = 0;
    for (let i = 0; i < 10; i++) id = (await show(one)).faces[0]!.track;
    for (let i = 0; i < 40; i++) expect((await show(nobody)).result).toBe('passed');
    let frames = 1;
    while ((await show(one)).result !== 'swapped') frames++;
    expect(frames).toBeLessThanOrEqual(3);
    expect((await show(one)).faces[0]).toMatchObject({ track: id, swapped: true });
    lane.close('stream');
  });

  test('when the first person stays away, somebody else gets the face', async () => {
    atMs = 0;
    lane.open('stream', settings);
    for (let i = 0; i < 10; i++) await show(one);
    for (let i = 0; i < 20; i++) await show(nobody);
    let swapped = 0;
    for (let i = 0; i < 150; i++) if ((await show(other)).result === 'swapped') swapped++;
    expect(swapped).toBeGreaterThan(30);
    expect(swapped).toBeLessThan(100);
    lane.close('stream');
  });
});

/** Two pictures in one: the first as it is on the left, the second at half its size on the right. */
async function beside(left: Frame, right: Frame): Promise<Frame> {
  const [width, height] = [960, 480];
  const data = new Uint8Array((width * height * 3) / 2).fill(128);
  const put = (frame: Frame, atX: number, atY: number, step: number): void => {
    for (const [plane, shift] of [
      [0, 0],
      [1, 1],
      [2, 1],
    ] as const) {
      const [w, h] = [frame.width >> shift, frame.height >> shift];
      const from = plane === 0 ? 0 : frame.width * frame.height + (plane - 1) * w * h;
      const to = plane === 0 ? 0 : width * height + ((plane - 1) * width * height) / 4;
      for (let y = 0; y < h / step; y++) {
        for (let x = 0; x < w / step; x++) {
          const value = frame.data[from + Math.floor(y * step) * w + Math.floor(x * step)]!;
          data[to + (y + (atY >> shift)) * (width >> shift) + x + (atX >> shift)] = value;
        }
      }
    }
  };
  put(left, 0, 0, 1);
  put(right, 560, 120, 1.6);
  return { width, height, data, receivedAtMs: 0 };
}
