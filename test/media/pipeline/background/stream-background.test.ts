import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rgbToFrame } from '../../../../src/faces/portrait.ts';
import { MASK_SIZE, PersonSegmenter } from '../../../../src/pipeline/background/person-segmenter.ts';
import {
  type Backdrop,
  type MaskPace,
  StreamBackground,
} from '../../../../src/pipeline/background/stream-background.ts';
import { type ModelSession, openSession } from '../../../../src/pipeline/inference/model-session.ts';
import { BackgroundCanvas } from '../../../../src/pipeline/kernels/background-canvas.ts';
import { compiledKernels } from '../../../../src/pipeline/kernels/compiled-kernels.ts';
import { readCatalogue } from '../../../../src/pipeline/models/catalogue.ts';
import { planesOf } from '../../../../src/shared/i420.ts';
import type { Frame } from '../../../../src/shared/types.ts';
import { copyFrame, cutFrame, group, modelsDir } from '../../../support/lane.ts';

/** A camera's rate. */
const FRAME_MS = 1000 / 30;
const EACH_FRAME: MaskPace = { intervalMs: 0, followMs: null };
const USUAL: MaskPace = { intervalMs: 90, followMs: 50 };
const RARE: MaskPace = { intervalMs: 100, followMs: null };
/** Two colours whose difference tells the matte: only luma differs. */
const DARK: Backdrop = { kind: 'colour', colour: [16, 128, 128] };
const BRIGHT: Backdrop = { kind: 'colour', colour: [216, 128, 128] };

let session: ModelSession;
let module: WebAssembly.Module;
beforeAll(async () => {
  const catalogue = readCatalogue(modelsDir);
  const entry = catalogue.forRole('person-segmenter');
  session = await openSession(entry, catalogue.read(entry), { threads: 1 });
  module = await compiledKernels();
});
afterAll(() => session.close());

const newBackground = (): StreamBackground => new StreamBackground(module, new PersonSegmenter(session));

/** One of the people in the group photo, from the given pixel on: the camera sways. */
const person = (left: number, width = 640, height = 480): Promise<Frame> =>
  cutFrame(group, { left: 1400 + left, top: 130, width: 460, height: 345 }, width, height);

/** How much of each pixel is the person's, 0..1, in each frame. */
async function mattes(frames: readonly Frame[], pace: MaskPace): Promise<Float32Array[]> {
  const [dark, bright] = [newBackground(), newBackground()];
  const found: Float32Array[] = [];
  for (const [k, frame] of frames.entries()) {
    const receivedAtMs = 1000 + k * FRAME_MS;
    const [one, other] = [copyFrame(frame), copyFrame(frame)];
    await dark.replace({ ...one, receivedAtMs }, DARK, pace);
    await bright.replace({ ...other, receivedAtMs }, BRIGHT, pace);
    found.push(Float32Array.from({ length: planesOf(frame).u }, (_, i) => 1 - (other.data[i]! - one.data[i]!) / 200));
  }
  return found;
}

/** Intersection over union of what is more the person's than not. */
function overlap(one: Float32Array, other: Float32Array): number {
  let [both, either] = [0, 0];
  for (let i = 0; i < one.length; i++) {
    const [a, b] = [one[i]! > 0.5, other[i]! > 0.5];
    if (a && b) both++;
    if (a || b) either++;
  }
  return both / either;
}

/** Noise as of a camera in a lit room, the same for each seed. */
function noisy({ data, ...frame }: Frame, seed: number): Frame {
  let state = (seed * 2_654_435_761) >>> 0;
  const luma = planesOf(frame).u;
  const random = (): number => {
    state = (state * 1_664_525 + 1_013_904_223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
  const noise = (level: number): number => level * (random() + random() + random());
  return { ...frame, data: data.map((value, i) => Math.round(value + noise(i < luma ? 4 : 2))) as Frame['data'] };
}

test('the matte at its rate is that of a mask in every frame, nearly, while the person moves', async () => {
  const frames = await Promise.all(Array.from({ length: 18 }, (_, k) => person(Math.round(30 * Math.sin(k / 4)))));
  const full = await mattes(frames, EACH_FRAME);
  for (const [pace, mean] of [
    [USUAL, 0.98],
    [RARE, 0.95],
  ] as const) {
    const found = await mattes(frames, pace);
    const overlaps = found.map((matte, k) => overlap(matte, full[k]!));
    expect(overlaps.reduce((a, b) => a + b) / overlaps.length).toBeGreaterThan(mean);
    expect(Math.min(...overlaps)).toBeGreaterThan(mean - 0.05);
  }
});

test('at rest fewer than one in a hundred of the pixels on the edge change from frame to frame', async () => {
  const still = await person(0);
  const found = await mattes(
    Array.from({ length: 24 }, (_, k) => noisy(still, k + 1)),
    USUAL,
  );
  let [edge, changed] = [0, 0];
  for (let k = 6; k < found.length; k++) {
    const [before, now] = [found[k - 1]!, found[k]!];
    for (let i = 0; i < now.length; i++) {
      if (!isEdge(before[i]!) && !isEdge(now[i]!)) continue;
      edge++;
      if (Math.abs(now[i]! - before[i]!) > 0.1) changed++;
    }
  }
  expect(edge).toBeGreaterThan(10_000);
  expect(changed / edge).toBeLessThan(0.01);
});

const isEdge = (matte: number): boolean => matte > 0.05 && matte < 0.95;

describe.each([
  [640, 480],
  [564, 308],
  [641, 361],
])('a frame of %i x %i', (width, height) => {
  test('is replaced outside of the person, and untouched inside, bit for bit', async () => {
    const frame = await person(0, width, height);
    const [matte] = await mattes([frame], EACH_FRAME);
    const done = copyFrame(frame);
    await newBackground().replace(done, { kind: 'colour', colour: [137, 62, 43] }, USUAL);
    let [inside, outside, wrong] = [0, 0, 0];
    for (let i = 0; i < matte!.length; i++) {
      if (matte![i]! >= 1) {
        inside++;
        if (done.data[i] !== frame.data[i]) wrong++;
      } else if (matte![i]! <= 0) {
        outside++;
        if (done.data[i] !== 137) wrong++;
      }
    }
    expect(wrong).toBe(0);
    expect(inside / matte!.length).toBeGreaterThan(0.2);
    expect(outside / matte!.length).toBeGreaterThan(0.2);
  });
});

test('a blur shows nothing of the person beside them', () => {
  const size = { width: 320, height: 240 };
  const canvas = new BackgroundCanvas(module, size, MASK_SIZE);
  // A bright person fills the left half, before a dark room.
  const isPerson = (x: number, width: number): boolean => x < width / 2;
  const { bytes, u } = planesOf(size);
  const frame: Frame = { ...size, data: new Uint8Array(bytes).fill(128), receivedAtMs: 0 };
  for (let i = 0; i < u; i++) frame.data[i] = isPerson(i % size.width, size.width) ? 235 : 40;
  const { width, height } = MASK_SIZE;
  const values = Float32Array.from({ length: width * height }, (_, i) => (isPerson(i % width, width) ? 1 : 0));
  canvas.load(frame);
  canvas.takeMask(
    { values, width, height },
    { share: 1, change: 1 },
    { radius: 2, epsilon: 0.001, none: 0.1, all: 0.6, least: 0.15, most: 0.85 },
  );
  canvas.blur(12);
  canvas.compose();
  canvas.store(frame);
  const row = [...frame.data.subarray(120 * size.width, 121 * size.width)];
  expect(Math.min(...row.slice(0, 150))).toBe(235);
  expect(Math.max(...row.slice(170))).toBeLessThanOrEqual(41);
});

test('a cut gets a mask at once', async () => {
  const background = newBackground();
  const [one, other] = [await person(0), await person(-250)];
  await background.replace({ ...copyFrame(one), receivedAtMs: 1000 }, DARK, RARE);
  const next = { ...copyFrame(other), receivedAtMs: 1000 + FRAME_MS };
  await background.replace(next, DARK, RARE);
  const fresh = copyFrame(other);
  await newBackground().replace(fresh, DARK, EACH_FRAME);
  const hidden = (data: Uint8Array): number => data.subarray(0, 640 * 480).filter((luma) => luma === 16).length;
  expect(hidden(next.data) / hidden(fresh.data)).toBeGreaterThan(0.9);
});

test('a picture covers the frame, and changes from one frame to the next', async () => {
  const background = newBackground();
  const frame = await person(0);
  const picture = async (colour: string): Promise<Backdrop> => {
    const { data } = await sharp({ create: { width: 400, height: 500, channels: 3, background: colour } })
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { kind: 'picture', picture: rgbToFrame(data, 400, 500, 3) };
  };
  const [matte] = await mattes([frame], EACH_FRAME);
  for (const [colour, luma] of [
    ['#000000', 16],
    ['#ffffff', 235],
  ] as const) {
    const done = copyFrame(frame);
    await background.replace(done, await picture(colour), USUAL);
    const shown = done.data.subarray(0, matte!.length).filter((_, i) => matte![i]! <= 0);
    expect(new Set(shown)).toEqual(new Set([luma]));
  }
});
