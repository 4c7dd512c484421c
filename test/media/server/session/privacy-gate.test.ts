/** Never the real face: what goes out of a lane and through the guard is looked at with the recognition model. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { distance, SAME_PERSON } from '../../../../src/pipeline/face/embed.ts';
import type { Lane } from '../../../../src/pipeline/lane/lane.ts';
import { PrivacyGate } from '../../../../src/server/session/privacy-gate.ts';
import type { Fallback, Frame, SwapSettings } from '../../../../src/shared/types.ts';
import { astronaut, copyFrame, cutFrame, group, readFrame, startLane } from '../../../support/lane.ts';
import { swapSettings } from '../../../support/settings.ts';
import { openWho, type Who } from '../../../support/who.ts';

const [WIDTH, HEIGHT] = [480, 360];
const settings = (patch: Partial<SwapSettings>): SwapSettings =>
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

async function enrol(): Promise<void> {
  const portrait = await readFrame(astronaut);
  const [face] = await lane.analyse(portrait);
  await lane.take('astronaut', await lane.enrol([{ picture: portrait, points: face!.points }]));
}

/** What the others see while the camera pans; null where the picture stands still. */
async function film(patch: Partial<SwapSettings>, before?: (i: number) => void): Promise<(Frame | null)[]> {
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

/** How near the likest of a picture's faces is to anybody of the group. */
async function nearest(frame: Frame): Promise<number> {
  const faces = await who.embeddings(frame);
  return Math.min(Number.POSITIVE_INFINITY, ...faces.flatMap((face) => people.map((own) => distance(face, own))));
}

describe('somebody who is never to be shown', () => {
  test('is seen by this test where they are', async () => {
    expect(people.length).toBeGreaterThanOrEqual(3);
    const bare = (await film({ face: null, guarded: false })).filter((frame) => frame !== null);
    expect(bare.length).toBe(pan.length);
    const near = await Promise.all(bare.map((frame) => nearest(frame)));
    expect(near.filter((d) => d < SAME_PERSON).length).toBeGreaterThan(5);
  });

  test.each<[string, Partial<SwapSettings>]>([
    ['before their face is there', {}],
    ['with no face chosen', { face: null }],
    ['with no face for a person on the map', { choice: 'mapped', map: { 1: null } }],
  ])('is not, %s: a dark picture is', async (_what, patch) => {
    const out = await film(patch);
    const shown = out.filter((frame) => frame !== null);
    expect(shown[0]).toBe(out[0]);
    for (const frame of shown) expect(await who.embeddings(frame)).toEqual([]);
    if (patch.choice === undefined) expect(shown.length).toBe(1);
  });

  test.each<[string, Partial<SwapSettings>]>([
    ['while the picture stands still where no swap can be made', {}],
    ['where the camera would be shown', { fallback: 'passthrough' }],
    ['where a blurred picture is', { fallback: 'blur' }],
    ['where only the largest face was to be swapped', { choice: 'largest' }],
    ['where little of the source was to be shown', { strength: 0 }],
  ])('is not, %s', async (_what, patch) => {
    await enrol();
    const out = await film(patch);
    const shown = out.filter((frame) => frame !== null);
    expect(shown.length).toBeGreaterThan(3);
    if (patch.fallback === 'blur') expect(shown.length).toBe(pan.length);
    for (const frame of shown) expect(await nearest(frame)).toBeGreaterThan(SAME_PERSON);
  });

  test('is not when the swap breaks, the frame is too large or a stage fails', async () => {
    await enrol();
    await lane.open('film', settings({}));
    const guard = new PrivacyGate();
    const first = guard.pass(await lane.swap('film', { ...copyFrame(pan[8]!), receivedAtMs: 0 }), true);
    expect(first).not.toBeNull();
    const large = { width: 1928, height: 1088, data: new Uint8Array(1928 * 1088 * 1.5).fill(128), receivedAtMs: 0 };
    expect(guard.pass(await lane.swap('film', large), true)).toBeNull();
    // Planes that end too early.
    const broken = { ...pan[8]!, data: pan[8]!.data.slice(0, 1000), receivedAtMs: 33 };
    const done = await lane.swap('film', broken);
    expect(done.result).toBe('failed');
    expect(guard.pass(done, true)).toBeNull();
    await lane.close('film');
  });
});

describe('the guard', () => {
  const frame = (): Frame => ({ width: 8, height: 6, data: new Uint8Array(72).fill(200), receivedAtMs: 0 });
  const safe = { frame: frame(), bare: false, hold: false };
  const bare = { frame: frame(), bare: true, hold: false };

  test('lets everything through while it is off', () => {
    const guard = new PrivacyGate();
    expect(guard.pass(bare, false)).toBe(bare.frame);
    expect(guard.pass({ ...safe, hold: true }, false)).toBeNull();
  });

  test('covers at once what was seen before it was switched on, and no more than once', () => {
    const guard = new PrivacyGate();
    expect(guard.cover()).toBeNull();
    guard.pass(bare, false);
    expect([...guard.cover()!.data.subarray(0, 48)].every((luma) => luma < 60)).toBe(true);
    expect(guard.cover()).toBeNull();
    expect(guard.pass(bare, true)).toBeNull();
    expect(guard.pass(safe, true)).toBe(safe.frame);
  });

  test('takes a frame that says nothing about itself for bare', () => {
    const guard = new PrivacyGate();
    expect(guard.pass({ frame: frame(), hold: false }, true)).not.toBe(frame);
    expect(guard.pass({ frame: frame(), hold: false }, true)).toBeNull();
  });

  test.each<Fallback>(['passthrough', 'blur', 'freeze'])('begins with a card, whatever the fallback is (%s)', () => {
    const guard = new PrivacyGate();
    const card = guard.pass({ ...bare, hold: true }, true)!;
    expect([card.width, card.height, card.data.length]).toEqual([8, 6, 72]);
  });
});
