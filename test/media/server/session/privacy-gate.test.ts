/** Pictures that leave a lane through the privacy gate show no real face, by the recognition model. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { distance, SAME_PERSON } from '../../../../src/pipeline/face/embed.ts';
import type { Lane } from '../../../../src/pipeline/lane/lane.ts';
import { PrivacyGate } from '../../../../src/server/session/privacy-gate.ts';
import type { Fallback, SettingsPatch, SwapSettings } from '../../../../src/shared/settings.ts';
import type { Frame } from '../../../../src/shared/types.ts';
import { astronaut, copyFrame, cutFrame, group, readFrame, startLane } from '../../../support/lane.ts';
import { swapSettings } from '../../../support/settings.ts';
import { openWho, type Who } from '../../../support/who.ts';

const [WIDTH, HEIGHT] = [480, 360];
const settings = (patch: SettingsPatch): SwapSettings =>
  swapSettings({ face: 'astronaut', fallback: 'freeze', guarded: true, ...patch });

let lane: Lane;
let who: Who;
/** A camera that pans over a group: people come in from the side, are cut off, are two at once, and go. */
let pan: Frame[];
let people: Float32Array[];

beforeAll(async () => {
  lane = await startLane();
  who = await openWho();
  const step = 60;
  pan = await Promise.all(
    Array.from({ length: Math.floor((1920 - 640) / step) }, (_, i) =>
      cutFrame(group, { left: i * step, top: 120, width: 640, height: 480 }, WIDTH, HEIGHT),
    ),
  );
  const whole = await cutFrame(group, { left: 0, top: 0, width: 1920, height: 1280 }, 1536, 1024);
  people = await who.embeddings(whole);
}, 120_000);
afterAll(() => lane.end());

let enrolled: Awaited<ReturnType<Lane['enrol']>> | null = null;
/** Gives the lane the face that is worn; enrolled once for all tests. */
async function enrol(): Promise<void> {
  if (enrolled === null) {
    const portrait = await readFrame(astronaut);
    const [face] = await lane.analyse(portrait);
    enrolled = await lane.enrol([{ picture: portrait, points: face!.points }]);
  }
  await lane.take('astronaut', structuredClone(enrolled));
}

/** Pictures that viewers get while the camera pans; null where the picture stands still. */
async function film(patch: SettingsPatch, before?: (i: number) => void): Promise<(Frame | null)[]> {
  const wanted = settings(patch);
  await lane.open('film', wanted);
  const guard = new PrivacyGate();
  const out: (Frame | null)[] = [];
  for (const [i, frame] of pan.entries()) {
    before?.(i);
    const done = await lane.swap('film', { ...copyFrame(frame), receivedAtMs: i * 33 });
    out.push(guard.pass(done, wanted.guarded === true));
  }
  await lane.close('film');
  return out;
}

/** The least distance of a picture's faces to the people of the group. */
async function nearest(frame: Frame): Promise<number> {
  const faces = await who.embeddings(frame);
  return Math.min(Number.POSITIVE_INFINITY, ...faces.flatMap((face) => people.map((own) => distance(face, own))));
}

describe('a guarded person', () => {
  test("is found by this test's detector in the camera's picture", async () => {
    expect(people.length).toBeGreaterThanOrEqual(3);
    const bare = (await film({ face: null, guarded: false })).filter((frame) => frame !== null);
    expect(bare.length).toBe(pan.length);
    const near = await Promise.all(bare.map((frame) => nearest(frame)));
    expect(near.filter((d) => d < SAME_PERSON).length).toBeGreaterThan(5);
  });

  test.each<[string, SettingsPatch]>([
    ['before their face is there', {}],
    ['with no face chosen', { face: null }],
    ['with no face for a person on the map', { choice: 'mapped', map: { 1: null } }],
  ])('is covered by a dark picture %s', async (_what, patch) => {
    await lane.drop('astronaut');
    const out = await film(patch);
    const shown = out.filter((frame) => frame !== null);
    expect(shown[0]).toBe(out[0]);
    for (const frame of shown) expect(await who.embeddings(frame)).toEqual([]);
    if (patch.choice === undefined) expect(shown.length).toBe(1);
  });

  test.each<[string, SettingsPatch]>([
    ['while the picture stands still where no swap can be made', {}],
    ['where the camera would be shown', { fallback: 'passthrough' }],
    ['where a blurred picture is', { fallback: 'blur' }],
    ['where only the largest face was to be swapped', { choice: 'largest' }],
    ['where little of the source was to be shown', { strength: 0 }],
  ])('is not shown %s', async (_what, patch) => {
    await enrol();
    const out = await film(patch);
    const shown = out.filter((frame) => frame !== null);
    expect(shown.length).toBeGreaterThan(3);
    if (patch.fallback === 'blur') expect(shown.length).toBe(pan.length);
    for (const frame of shown) expect(await nearest(frame)).toBeGreaterThan(SAME_PERSON);
  });

  test('is not shown when the swap fails, the frame is too large or a stage fails', async () => {
    await enrol();
    await lane.open('film', settings({}));
    const guard = new PrivacyGate();
    const first = guard.pass(await lane.swap('film', { ...copyFrame(pan[8]!), receivedAtMs: 0 }), true);
    expect(first).not.toBeNull();
    // Larger than the lane takes, and with a face.
    const large = await cutFrame(group, { left: 480, top: 120, width: 640, height: 480 }, 3848, 2886);
    const passed = await lane.swap('film', { ...large, receivedAtMs: 17 });
    expect(passed.result).toBe('passed');
    expect(guard.pass(passed, true)).toBeNull();
    // Planes that end too early.
    const broken = { ...pan[8]!, data: pan[8]!.data.slice(0, 1000), receivedAtMs: 33 };
    const done = await lane.swap('film', broken);
    expect(done.result).toBe('failed');
    expect(guard.pass(done, true)).toBeNull();
    await lane.close('film');
  });
});

describe('the privacy gate', () => {
  const frame = (): Frame => ({ width: 8, height: 6, data: new Uint8Array(72).fill(200), receivedAtMs: 0 });
  const safe = { frame: frame(), exposed: false, hold: false };
  const shown = { frame: frame(), exposed: true, hold: false };

  test('lets everything through while it is off', () => {
    const guard = new PrivacyGate();
    expect(guard.pass(shown, false)).toBe(shown.frame);
    expect(guard.pass({ ...safe, hold: true }, false)).toBeNull();
  });

  test('covers a shown face at once when it is switched on, and only once', () => {
    const guard = new PrivacyGate();
    expect(guard.cardIfExposed()).toBeNull();
    guard.pass(shown, false);
    expect([...guard.cardIfExposed()!.data.subarray(0, 48)].every((luma) => luma < 60)).toBe(true);
    expect(guard.cardIfExposed()).toBeNull();
    expect(guard.pass(shown, true)).toBeNull();
    expect(guard.pass(safe, true)).toBe(safe.frame);
  });

  test('treats a frame without information as exposed', () => {
    const guard = new PrivacyGate();
    expect(guard.pass({ frame: frame(), hold: false }, true)).not.toBe(frame);
    expect(guard.pass({ frame: frame(), hold: false }, true)).toBeNull();
  });

  test.each<Fallback>(['passthrough', 'blur', 'freeze'])('begins with a card, whatever the fallback is (%s)', () => {
    const guard = new PrivacyGate();
    const card = guard.pass({ ...shown, hold: true }, true)!;
    expect([card.width, card.height, card.data.length]).toEqual([8, 6, 72]);
  });
});
