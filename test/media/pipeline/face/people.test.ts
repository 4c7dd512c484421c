import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PersonRegistry } from '../../../../src/pipeline/face/people.ts';
import type { Lane } from '../../../../src/pipeline/lane/lane.ts';
import type { Frame } from '../../../../src/shared/types.ts';
import { astronaut, copyFrame, cutFrame, group, readFrame, startLane } from '../../../support/lane.ts';
import { swapSettings } from '../../../support/settings.ts';

const someone = (seed: number): Float32Array =>
  Float32Array.from({ length: 128 }, (_, i) => Math.sin(seed * (i + 1)) / 8);
const alike = (person: Float32Array): Float32Array => person.map((value, i) => value + 0.005 * Math.cos(i));

describe('people', () => {
  test('who comes back is known again, who is new is not', () => {
    const people = new PersonRegistry();
    expect(people.assignIdentity(1, someone(1), new Set([1]), 0)).toBe(1);
    expect(people.assignIdentity(2, someone(2), new Set([2]), 0)).toBe(2);
    expect(people.assignIdentity(3, alike(someone(1)), new Set([3]), 0)).toBe(1);
    expect(people.assignIdentity(4, someone(7), new Set([4]), 0)).toBe(4);
  });

  test('nobody is taken for somebody who is still there', () => {
    const people = new PersonRegistry();
    people.assignIdentity(1, someone(1), new Set([1]), 0);
    expect(people.assignIdentity(2, alike(someone(1)), new Set([1, 2]), 0)).toBe(2);
  });

  test('a person is looked at a few times, with pauses, and then no more', () => {
    const people = new PersonRegistry();
    let looks = 0;
    for (let atMs = 0; atMs < 20_000; atMs += 33) {
      if (!people.needsEmbedding(1, atMs)) continue;
      people.assignIdentity(1, someone(1), new Set([1]), atMs);
      looks++;
    }
    expect(looks).toBe(3);
  });

  test('of a busy frame only who is not known yet is worth a look', () => {
    const people = new PersonRegistry();
    expect(people.needsEmbedding(1, 0, 'unknown')).toBe(true);
    people.assignIdentity(1, someone(1), new Set([1]), 0);
    expect(people.needsEmbedding(1, 2000, 'unknown')).toBe(false);
    expect(people.needsEmbedding(1, 2000, 'none')).toBe(true);
  });
});

describe('in a lane', () => {
  const settings = swapSettings({ choice: 'largest' });
  let lane: Lane;
  let first: Frame;
  let nearer: Frame;
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
    await lane.take('source', await lane.enrol([{ picture, points: face!.points }]));
    // Somebody, and somebody else who is nearer to the camera, in front of one wall.
    first = await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 320, 240);
    nearer = await cutFrame(group, { left: 360, top: 300, width: 340, height: 340 }, 400, 400);
    one = onWall([first, 760, 160]);
    other = onWall([nearer, 120, 80]);
    both = onWall([first, 760, 160], [nearer, 120, 80]);
    nobody = onWall();
  });
  afterAll(() => lane.end());

  test('the swap stays with the first person when somebody larger comes in', async () => {
    atMs = 0;
    await lane.open('stream', settings);
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
    await lane.close('stream');
  });

  test('a face that comes back is swapped again within three frames, under its old id', async () => {
    atMs = 0;
    await lane.open('stream', settings);
    let id = 0;
    for (let i = 0; i < 10; i++) id = (await show(one)).faces[0]!.track;
    for (let i = 0; i < 40; i++) expect((await show(nobody)).result).toBe('passed');
    let frames = 1;
    while ((await show(one)).result !== 'swapped') frames++;
    expect(frames).toBeLessThanOrEqual(3);
    expect((await show(one)).faces[0]).toMatchObject({ track: id, swapped: true });
    await lane.close('stream');
  });

  test('when the first person stays away, somebody else gets the face', async () => {
    atMs = 0;
    await lane.open('stream', settings);
    for (let i = 0; i < 10; i++) await show(one);
    for (let i = 0; i < 20; i++) await show(nobody);
    let swapped = 0;
    for (let i = 0; i < 150; i++) if ((await show(other)).result === 'swapped') swapped++;
    expect(swapped).toBeGreaterThan(30);
    expect(swapped).toBeLessThan(100);
    await lane.close('stream');
  });

  test('at a cut to another scene whoever is there is new, and swapped in that very frame', async () => {
    atMs = 0;
    await lane.open('stream', settings);
    let id = 0;
    for (let i = 0; i < 10; i++) id = (await show(one)).faces[0]!.track;
    const scene = await readFrame(group);
    for (let i = 0; i < 20; i++) {
      const { result, faces } = await show(scene);
      expect(result).toBe('swapped');
      // The first person is in that picture too, and is known again, though others are larger.
      if (i > 0) expect(faces.filter(({ swapped }) => swapped)).toMatchObject([{ track: id }]);
    }
    for (let i = 0; i < 20; i++) {
      const { faces } = await show(nearer);
      expect(faces).toMatchObject([{ swapped: true }]);
      expect(faces[0]!.track).not.toBe(id);
    }
    await lane.close('stream');
  });

  test('a face is followed where the picture becomes smaller or larger, under its id', async () => {
    atMs = 0;
    await lane.open('stream', { ...settings, choice: 'all' });
    const part = { left: 1400, top: 130, width: 460, height: 345 };
    const sizes = [await cutFrame(group, part, 640, 480), await cutFrame(group, part, 320, 240)] as const;
    const seen = [];
    for (const size of [0, 0, 1, 1, 0, 1] as const) seen.push(await show(sizes[size]));
    const id = seen[0]!.faces[0]!.track;
    for (const { result, faces, stagesMs } of seen.slice(1)) {
      expect(result).toBe('swapped');
      expect(faces).toMatchObject([{ track: id, swapped: true }]);
      // Nobody had to be looked for.
      expect(stagesMs).not.toHaveProperty('detect');
    }
    await lane.close('stream');
  });

  test('who is much nearer from one frame to the next is seen whole in that frame', async () => {
    atMs = 0;
    await lane.open('stream', { ...settings, choice: 'all' });
    const near = await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 480, 360);
    for (let i = 0; i < 4; i++) await show(one);
    const seen = [];
    for (let i = 0; i < 4; i++) seen.push((await show(onWall([near, 680, 100]))).faces[0]!);
    expect(Math.abs(seen[0]!.height / seen.at(-1)!.height - 1)).toBeLessThan(0.03);
    await lane.close('stream');
  });

  test.each(['all', 'largest'] as const)(
    'who is elsewhere from one frame to the next, in the same scene, is not bare for a frame: %s',
    async (choice) => {
      atMs = 0;
      await lane.open('stream', { ...settings, choice });
      const ids = new Set<number>();
      for (const left of [760, 760, 700, 860, 760, 100, 100, 700]) {
        const { result, faces } = await show(onWall([first, left, 160]));
        expect(result, `at ${left}`).toBe('swapped');
        for (const { track, swapped } of faces) if (swapped) ids.add(track);
      }
      // One person all along.
      expect(ids.size).toBe(1);
      await lane.close('stream');
    },
  );

  test('nor does the swap go to somebody else who is there meanwhile', async () => {
    atMs = 0;
    await lane.open('stream', settings);
    for (const left of [760, 760, 760]) await show(onWall([first, left, 160]));
    for (let i = 0; i < 12; i++) await show(onWall([first, 760, 160], [nearer, 120, 80]));
    for (const left of [560, 860, 560]) {
      const { result, faces } = await show(onWall([first, left, 160], [nearer, 120, 80]));
      expect(result).toBe('swapped');
      expect(faces.filter(({ swapped }) => swapped).map(({ x }) => x > 500)).toEqual([true]);
    }
    await lane.close('stream');
  });
});

/** Pictures, each with its left and upper edge, in front of a grey wall. */
function onWall(...shown: [Frame, number, number][]): Frame {
  const [width, height] = [1280, 720];
  const data = new Uint8Array((width * height * 3) / 2).fill(128);
  for (const [picture, left, top] of shown) {
    for (const plane of [0, 1, 2]) {
      const shift = plane === 0 ? 0 : 1;
      const first = (w: number, h: number): number => (plane === 0 ? 0 : w * h + ((plane - 1) * w * h) / 4);
      const [w, from] = [picture.width >> shift, first(picture.width, picture.height)];
      for (let y = 0; y < picture.height >> shift; y++) {
        const to = first(width, height) + (y + (top >> shift)) * (width >> shift) + (left >> shift);
        data.set(picture.data.subarray(from + y * w, from + (y + 1) * w), to);
      }
    }
  }
  return { width, height, data, receivedAtMs: 0 };
}
