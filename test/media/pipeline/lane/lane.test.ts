import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { defaultConfig } from '../../../../src/config.ts';
import { distance } from '../../../../src/pipeline/face/embed.ts';
import { Landmarker } from '../../../../src/pipeline/face/landmarks.ts';
import type { Lane } from '../../../../src/pipeline/lane/lane.ts';
import { liveLaneOptions } from '../../../../src/pipeline/pool/lane-options.ts';
import type { SettingsPatch } from '../../../../src/shared/settings.ts';
import type { Frame } from '../../../../src/shared/types.ts';
import { astronaut, copyFrame, cutFrame, group, readFrame, startLane } from '../../../support/lane.ts';
import { swapSettings } from '../../../support/settings.ts';
import { openWho, type Who } from '../../../support/who.ts';

const settings = swapSettings();
/** One of the people in the group photo, as a camera would show her. */
const PART = { left: 1400, top: 130, width: 460, height: 345 };

let lane: Lane;
/** What the lane reported, with the session. */
const faults: [error: unknown, session: string | undefined][] = [];
let who: Who;
let enrolled: Awaited<ReturnType<Lane['enrol']>>;
let camera: Frame;
let people: Frame;
beforeAll(async () => {
  lane = await startLane((error, session) => faults.push([error, session]));
  who = await openWho();
  const picture = await readFrame(astronaut);
  const [face] = await lane.analyse(picture);
  enrolled = await lane.enrol([{ picture, points: face!.points }]);
  await lane.take('source', structuredClone(enrolled));
  camera = await cutFrame(group, PART, 640, 480);
  people = await readFrame(group);
});
afterAll(() => lane.end());

let streams = 0;
async function swapOnce(frame: Frame, patch: SettingsPatch = {}) {
  const id = `stream-${streams++}`;
  await lane.open(id, { ...settings, ...patch });
  const done = await lane.swap(id, copyFrame(frame));
  await lane.close(id);
  return done;
}

test('the swapped face is nearer to the source than to the person in front of the camera', async () => {
  const { frame, result } = await swapOnce(camera);
  expect(result).toBe('swapped');
  const [source] = await who.embeddings(await readFrame(astronaut));
  const [before] = await who.embeddings(camera);
  const [after] = await who.embeddings(frame);
  expect(distance(after!, source!)).toBeLessThan(distance(after!, before!));
  expect(distance(after!, source!)).toBeLessThan(distance(before!, source!) - 0.1);
});

test('a frame that shows the same picture again is drawn as the last one, bit for bit', async () => {
  await lane.open('still', settings);
  const drawn: Frame[] = [];
  for (let i = 0; i < 6; i++) {
    const receivedAtMs = 1000 + 33 * i;
    drawn.push((await lane.swap('still', { ...copyFrame(camera), receivedAtMs })).frame);
  }
  const moved = await cutFrame(group, { ...PART, left: PART.left + 6 }, 640, 480);
  const after = await lane.swap('still', { ...moved, receivedAtMs: 1200 });
  await lane.close('still');
  for (const frame of drawn) expect(Buffer.compare(frame.data, drawn[0]!.data)).toBe(0);
  expect(Buffer.compare(drawn[0]!.data, camera.data)).not.toBe(0);
  // The moved face is found where it is now: 6 of the picture's pixels are 8 of the frame's.
  expect(after.result).toBe('swapped');
  const [fresh] = (await swapOnce(moved)).faces;
  expect(Math.abs(after.faces[0]!.x - fresh!.x)).toBeLessThan(3);
});

test('pixels outside the face are unchanged, bit for bit', async () => {
  const { frame, faces } = await swapOnce(camera);
  const [{ x, y, width, height }] = faces as [(typeof faces)[number]];
  const grow = 0.06 * Math.max(width, height);
  const changed = { inside: 0, outside: 0 };
  const check = (offset: number, stride: number, rows: number, shrink: number): void => {
    for (let i = 0; i < stride * rows; i++) {
      if (frame.data[offset + i] === camera.data[offset + i]) continue;
      const [px, py] = [(i % stride) * shrink, Math.floor(i / stride) * shrink];
      const inside = px >= x - grow && px <= x + width + grow && py >= y - grow && py <= y + height + grow;
      changed[inside ? 'inside' : 'outside']++;
    }
  };
  const { width: w, height: h } = camera;
  check(0, w, h, 1);
  check(w * h, w / 2, h / 2, 2);
  check((w * h * 5) / 4, w / 2, h / 2, 2);
  expect(changed.outside).toBe(0);
  expect(changed.inside).toBeGreaterThan(5000);
});

test('a stage that throws costs one frame its swap, and is reported with its session', async () => {
  const broken = new Error('a defect');
  const find = vi.spyOn(Landmarker.prototype, 'find').mockRejectedValueOnce(broken);
  faults.length = 0;
  await lane.open('broken', settings);
  const first = await lane.swap('broken', copyFrame(camera));
  const second = await lane.swap('broken', { ...copyFrame(camera), receivedAtMs: 33 });
  await lane.close('broken');
  find.mockRestore();
  expect([first.result, second.result]).toEqual(['failed', 'swapped']);
  expect(faults).toEqual([[broken, 'broken']]);
});

test('several faces in one frame are all swapped, or only the largest', async () => {
  const all = await swapOnce(people);
  expect(all.faces.filter((face) => face.swapped)).toHaveLength(3);
  const one = await swapOnce(people, { choice: 'largest' });
  expect(one.faces.filter((face) => face.swapped)).toHaveLength(1);
});

test('a face keeps its number from frame to frame, and takes its own source where each has one', async () => {
  await lane.open('mapped', { ...settings, face: null, choice: 'mapped', map: {} });
  const first = await lane.swap('mapped', copyFrame(people));
  expect(first.faces).toHaveLength(3);
  expect(first.result).toBe('passed');
  const wanted = first.faces[1]!.track;
  await lane.set('mapped', { ...settings, face: null, choice: 'mapped', map: { [wanted]: 'source' } });
  const next = await lane.swap('mapped', { ...copyFrame(people), receivedAtMs: 33 });
  expect(next.faces.filter((face) => face.swapped).map((face) => face.track)).toEqual([wanted]);
  // Faces without a choice of their own get the common one.
  await lane.set('mapped', { ...settings, face: 'source', choice: 'mapped', map: { [wanted]: null } });
  const last = await lane.swap('mapped', { ...copyFrame(people), receivedAtMs: 66 });
  expect(last.faces.filter((face) => !face.swapped).map((face) => face.track)).toEqual([wanted]);
  await lane.close('mapped');
});

test.each([
  [641, 481],
  [639, 480],
  [640, 479],
  [321, 243],
])('frames of odd sizes are swapped: %i x %i', async (width, height) => {
  const frame = await cutFrame(group, PART, width, height);
  const { result, frame: out } = await swapOnce(frame);
  expect(result).toBe('swapped');
  expect(out.data).toHaveLength(frame.data.length);
});

test("a frame larger than the lane's limit passes unchanged", async () => {
  const small = await startLane(undefined, { maxPixels: camera.width * camera.height - 1 });
  await small.take('source', structuredClone(enrolled));
  await small.open('large', settings);
  const { result, frame } = await small.swap('large', copyFrame(camera));
  await small.end();
  expect(result).toBe('passed');
  expect(Buffer.compare(frame.data, camera.data)).toBe(0);
  expect((await swapOnce(camera)).result).toBe('swapped');
});

test.each([
  [1920, 1200],
  [2560, 1440],
  [3840, 2160],
])('a camera of %i x %i is swapped by default', async (width, height) => {
  expect((await swapOnce(await cutFrame(group, PART, width, height))).result).toBe('swapped');
});

describe('when no swap can be made', () => {
  const empty: Frame = {
    width: 320,
    height: 240,
    data: Uint8Array.from({ length: 115200 }, (_, i) => (i * 7) % 200),
    receivedAtMs: 0,
  };

  test.each([
    ['passthrough', false, true],
    ['freeze', true, true],
    ['blur', false, false],
  ] as const)('the fallback %s is applied', async (fallback, hold, same) => {
    const done = await swapOnce(empty, { fallback });
    expect(done.result).toBe('passed');
    expect(done.hold).toBe(hold);
    expect(Buffer.from(done.frame.data).equals(Buffer.from(empty.data))).toBe(same);
  });

  test('nothing is held or blurred without a source face', async () => {
    const done = await swapOnce(empty, { face: null, fallback: 'blur' });
    expect(Buffer.from(done.frame.data).equals(Buffer.from(empty.data))).toBe(true);
  });
});

test('a lane that is switched off passes the camera bit for bit, whatever the faces and the fallback', async () => {
  for (const patch of [{ fallback: 'blur' }, { choice: 'mapped', map: { 1: 'source' } }] as const) {
    const done = await swapOnce(camera, { ...patch, on: false });
    expect([done.result, done.hold]).toEqual(['passed', false]);
    expect(Buffer.from(done.frame.data).equals(Buffer.from(camera.data))).toBe(true);
  }
});

test("eyes and the inside of the mouth stay the live person's", async () => {
  // Without the source's shape they do not even move.
  const { frame } = await swapOnce(camera, { shape: 0 });
  const [face] = await lane.analyse(camera);
  // Irises are the last ten points.
  const [x, y] = [face!.points[468 * 3]!, face!.points[468 * 3 + 1]!];
  const at = Math.floor(y) * camera.width + Math.floor(x);
  expect(frame.data[at]).toBe(camera.data[at]);
});

test('a warmed-up lane draws the same as a cold one, bit for bit', async () => {
  const picture = await readFrame(astronaut);
  const warm = await startLane(undefined, { warmupRuns: 1 });
  const [face] = await warm.analyse(copyFrame(picture));
  await warm.take('source', await warm.enrol([{ picture, points: face!.points }]));
  await warm.open('stream', settings);
  const { frame, result } = await warm.swap('stream', copyFrame(camera));
  await warm.end();
  expect(result).toBe('swapped');
  expect(Buffer.from(frame.data).equals(Buffer.from((await swapOnce(camera)).frame.data))).toBe(true);
});

test('a swapper gives its texture back, however often faces change', async () => {
  await lane.open('changing', settings);
  for (let i = 0; i < 100; i++) {
    await lane.set('changing', { ...settings, face: i % 2 === 0 ? 'source' : null });
    const { result } = await lane.swap('changing', { ...copyFrame(camera), receivedAtMs: i * 33 });
    expect(result).toBe(i % 2 === 0 ? 'swapped' : 'passed');
  }
  await lane.close('changing');
});

test('lips and brows stay too where the settings keep them', async () => {
  const [face] = await lane.analyse(camera);
  /** Whether a pixel within `reach` of a point is another; beside a point that is kept the next ones begin to show. */
  const differs = async (patch: SettingsPatch, point: number, reach = 0): Promise<boolean> => {
    const { frame } = await swapOnce(camera, { shape: 0, ...patch });
    const [x, y] = [Math.floor(face!.points[3 * point]!), Math.floor(face!.points[3 * point + 1]!)];
    for (let row = y - reach; row <= y + reach; row++) {
      for (let at = row * camera.width + x - reach; at <= row * camera.width + x + reach; at++)
        if (Math.abs(frame.data[at]! - camera.data[at]!) > 4) return true;
    }
    return false;
  };
  // The middle of the lower lip, of the right brow, and a cheek, which is lit as the live one and so differs only in part.
  const all = async (patch: SettingsPatch): Promise<boolean[]> => [
    await differs(patch, 17),
    await differs(patch, 105),
    await differs(patch, 50, 12),
  ];
  expect(await all({})).toEqual([true, true, true]);
  expect(await all({ keepEyes: true, keepMouth: true })).toEqual([false, false, true]);
});

test('changed options hold for streams that open from then on', async () => {
  const found = async (id: string): Promise<number> => (await lane.swap(id, copyFrame(people))).faces.length;
  const config = defaultConfig();
  await lane.open('before', settings);
  await lane.configure(liveLaneOptions({ ...config, detection: { ...config.detection, faces: 1 } }));
  await lane.open('after', settings);
  const [before, after] = [await found('before'), await found('after')];
  await lane.configure(liveLaneOptions(config));
  await lane.close('before');
  await lane.close('after');
  expect(before).toBeGreaterThan(1);
  expect(after).toBe(1);
});
