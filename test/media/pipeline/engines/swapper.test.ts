/** The contract of a swapper, which mesh, every generator and their fallback pass alike. */

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine, LiveFace, Looks, Portrait, Swapper } from '../../../../src/pipeline/engines/engine.ts';
import { FallbackSwapper, NotReady } from '../../../../src/pipeline/engines/fallback-swapper.ts';
import { MeshEngine } from '../../../../src/pipeline/engines/mesh/mesh-engine.ts';
import { NeuralEngine } from '../../../../src/pipeline/engines/neural/neural-engine.ts';
import { CROP } from '../../../../src/pipeline/face/landmarks.ts';
import { ALL_POINTS, POINTS, readTopology } from '../../../../src/pipeline/face/topology.ts';
import { Kernels } from '../../../../src/pipeline/kernels/kernels.ts';
import { boundsOf } from '../../../../src/shared/geometry.ts';
import type { Frame } from '../../../../src/shared/types.ts';
import { copyFrame, modelsDir } from '../../../support/lane.ts';
import { softFrame } from '../../../support/painted-face.ts';
import { standIns } from '../../../support/stand-ins.ts';

const [WIDTH, HEIGHT] = [640, 480];
/** Pixels of the frame for each unit of the canonical face, which is some 15 units wide. */
const SCALE = 12;
const LOOKS: Looks = { strength: 1, shape: 0, colour: 1, sharpness: 1, keepEyes: false, keepMouth: false };
/** Half a side of what counts as a face's surroundings: the largest template's crop lies in it. */
const SURROUNDINGS = 16 * SCALE;

const topology = readTopology(await readFile(path.join(modelsDir, 'face-geometry.json')));
const models = standIns();
const opened: { close(): Promise<void> }[] = [];
afterAll(async () => {
  for (const one of opened) await one.close();
  models.remove();
});

/** The canonical face about a place of the frame; irises lie between the corners of their eyes. */
function pointsAt(x: number, y: number): Float32Array {
  const points = new Float32Array(ALL_POINTS * 3);
  for (let i = 0; i < POINTS; i++) {
    const [vx, vy, vz] = [topology.vertices[3 * i]!, topology.vertices[3 * i + 1]!, topology.vertices[3 * i + 2]!];
    points.set([x + SCALE * vx, y - SCALE * vy, -SCALE * vz], 3 * i);
  }
  for (let i = POINTS; i < ALL_POINTS; i++) {
    const [outer, inner] = i < POINTS + 5 ? [33, 133] : [263, 362];
    for (let k = 0; k < 3; k++) points[3 * i + k] = (points[3 * outer + k]! + points[3 * inner + k]!) / 2;
  }
  return points;
}

const portrait: Portrait = { picture: portraitPicture(), points: pointsAt(300, 240) };

/** Another picture than the live one, so that a swap shows. */
function portraitPicture(): Frame {
  const picture = softFrame(WIDTH, HEIGHT, [[280, 200]]);
  return { ...picture, data: picture.data.map((value, i) => (i < WIDTH * HEIGHT ? 250 - value : value)) };
}

/** An engine behind the contract, and the kernels that the lane would have loaded the face's region in. */
interface Subject {
  kernels: Kernels;
  enrol(): Promise<unknown>;
  swapper(enrolled: unknown): Swapper;
}

function subject<Enrolled>(kernels: Kernels, engine: Engine<Enrolled>): Subject {
  return {
    kernels,
    enrol: async () => await engine.enrol([portrait]),
    swapper: (enrolled) => engine.swapper(enrolled as Enrolled),
  };
}

async function mesh(): Promise<Subject> {
  const kernels = await Kernels.load(WIDTH * HEIGHT);
  return subject(kernels, new MeshEngine(kernels, topology));
}

async function generator(name: string): Promise<Subject> {
  const options = { threads: 1, warmupRuns: 0, maxPixels: WIDTH * HEIGHT, boost: 1, mask: null };
  const engine = new NeuralEngine(models.catalogue, name, options);
  opened.push(engine);
  await engine.open();
  return subject(await Kernels.load(WIDTH * HEIGHT), engine);
}

/** The face as a lane hands it over: its region loaded, and its crop made. */
function liveFace(kernels: Kernels, crop: Float32Array, frame: Frame, points: Float32Array): LiveFace {
  const square = { x: points[3]!, y: points[4]!, side: 22 * SCALE, angle: 0 };
  const region = kernels.load(frame, boundsOf(square, 2, frame.width, frame.height)!);
  region.crop(square, { values: crop, n: CROP });
  return { points, square, region, crop, isRepeat: false };
}

async function swap(swapper: Swapper, { kernels }: Subject, frame: Frame, points: Float32Array): Promise<Frame> {
  const after = copyFrame(frame);
  swapper.waits?.();
  await swapper.swap(after, liveFace(kernels, kernels.floats(CROP * CROP * 3), after, points), LOOKS);
  return after;
}

/** Luma and chroma values that changed, inside and outside of the surroundings of a place. */
function changes(before: Frame, after: Frame, x: number, y: number): { inside: number; outside: number } {
  const count = { inside: 0, outside: 0 };
  const { width, height } = before;
  const [cw, ch] = [(width + 1) >> 1, (height + 1) >> 1];
  const compare = (from: number, stride: number, rows: number, step: number): void => {
    for (let i = 0; i < stride * rows; i++) {
      if (before.data[from + i] === after.data[from + i]) continue;
      const [dx, dy] = [step * (i % stride) - x, step * Math.floor(i / stride) - y];
      count[Math.max(Math.abs(dx), Math.abs(dy)) <= SURROUNDINGS ? 'inside' : 'outside']++;
    }
  };
  compare(0, width, height, 1);
  compare(width * height, cw, ch, 2);
  compare(width * height + cw * ch, cw, ch, 2);
  return count;
}

const generators = models.catalogue.optional.filter(({ profile }) => profile.role === 'generator');
const subjects: [string, () => Promise<Subject>][] = [
  ['mesh', mesh],
  ...generators.map(({ name }): [string, () => Promise<Subject>] => [name, () => generator(name)]),
];

describe.each(subjects)('a swapper of %s', (_name, make) => {
  const frame = softFrame(WIDTH, HEIGHT, [[330, 210]]);
  let engine: Subject;
  let enrolled: unknown;
  beforeAll(async () => {
    engine = await make();
    enrolled = await engine.enrol();
  });

  test('changes the face and nothing beyond its surroundings', async () => {
    const after = await swap(engine.swapper(enrolled), engine, frame, pointsAt(320, 240));
    const { inside, outside } = changes(frame, after, 320, 240);
    expect(inside).toBeGreaterThan(0);
    expect(outside).toBe(0);
  });

  test('keeps size, format and time of the frame, also of a face that the edge cuts', async () => {
    for (const [x, y] of [
      [320, 240],
      [WIDTH - 40, 240],
      [30, HEIGHT - 50],
    ] as const) {
      const after = await swap(engine.swapper(enrolled), engine, frame, pointsAt(x, y));
      expect({ ...after, data: after.data.length }).toEqual({ ...frame, data: frame.data.length });
      expect(changes(frame, after, x, y).outside).toBe(0);
    }
  });

  test('makes the same pixels of the same frames, and of a source face that crossed a thread', async () => {
    const points = pointsAt(320, 240);
    const [one, other] = [engine.swapper(enrolled), engine.swapper(structuredClone(enrolled))];
    for (let i = 0; i < 3; i++) {
      const [first, second] = [await swap(one, engine, frame, points), await swap(other, engine, frame, points)];
      expect(Buffer.compare(first.data, second.data)).toBe(0);
    }
  });

  test('closes twice, and leaves the engine to others', async () => {
    const [gone, kept] = [engine.swapper(enrolled), engine.swapper(enrolled)];
    const before = await swap(kept, engine, frame, pointsAt(320, 240));
    await swap(gone, engine, frame, pointsAt(320, 240));
    gone.close();
    gone.close();
    const fresh = engine.swapper(enrolled);
    expect(Buffer.compare((await swap(fresh, engine, frame, pointsAt(320, 240))).data, before.data)).toBe(0);
  });
});

describe('no swapper', () => {
  test('neither ready nor replaced, a face stays bit for bit as it is', async () => {
    const engine = await mesh();
    const frame = softFrame(WIDTH, HEIGHT);
    const none = new FallbackSwapper({ primary: () => null, fallback: null, reload: (_frame, face) => face });
    const after = copyFrame(frame);
    const face = liveFace(engine.kernels, engine.kernels.floats(CROP * CROP * 3), after, pointsAt(320, 240));
    expect(none.waits()).toBe(false);
    await expect(none.swap(after, face, LOOKS)).rejects.toBeInstanceOf(NotReady);
    expect(Buffer.compare(after.data, frame.data)).toBe(0);
    none.close();
    none.close();
  });

  test('a generator that is not open throws and changes nothing', async () => {
    const options = { threads: 1, warmupRuns: 0, maxPixels: WIDTH * HEIGHT, boost: 1, mask: null };
    const closed = new NeuralEngine(models.catalogue, generators[0]!.name, options);
    const { kernels } = await mesh();
    const frame = softFrame(WIDTH, HEIGHT);
    const after = copyFrame(frame);
    const face = liveFace(kernels, kernels.floats(CROP * CROP * 3), after, pointsAt(320, 240));
    const swapper = closed.swapper({ source: new Float32Array(512) });
    await expect(swapper.swap(after, face, LOOKS)).rejects.toThrow(/is not loaded/);
    expect(Buffer.compare(after.data, frame.data)).toBe(0);
    await closed.close();
  });
});
