/** Every profile on its stand-in: what goes in is what the model was trained on, what comes out lands where it belongs. */

import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { GeneratorRunner } from '../../../../src/pipeline/engines/neural/generator-runner.ts';
import { SourceMaker, unit } from '../../../../src/pipeline/engines/neural/source-identity.ts';
import type { ModelShape, SessionOptions } from '../../../../src/pipeline/inference/model-session.ts';
import type { Lane } from '../../../../src/pipeline/lane/lane.ts';
import type { EntryOf, OptionalEntry } from '../../../../src/pipeline/models/catalogue.ts';
import { TEMPLATES } from '../../../../src/pipeline/models/profiles.ts';
import { MESH, NONE } from '../../../../src/shared/settings.ts';
import type { Frame, SwappedFrame } from '../../../../src/shared/types.ts';
import { astronaut, copyFrame, cutFrame, group, readFrame, startLane } from '../../../support/lane.ts';
import { differencesInside, placed, softFrame } from '../../../support/painted-face.ts';
import { swapSettings } from '../../../support/settings.ts';
import { standIns } from '../../../support/stand-ins.ts';

/** What each model was given at its last run, by input. */
const given = vi.hoisted(() => new Map<string, Record<string, Float32Array>>());
vi.mock('../../../../src/pipeline/inference/model-session.ts', async (original) => {
  const real = (await original()) as typeof import('../../../../src/pipeline/inference/model-session.ts');
  return {
    ...real,
    async openSession(shape: ModelShape, bytes: Uint8Array, options: SessionOptions) {
      const session = await real.openSession(shape, bytes, options);
      const run = session.run.bind(session);
      session.run = () => {
        given.set(shape.name, Object.fromEntries(Object.entries(session.inputs).map(([k, v]) => [k, v.slice()])));
        return run();
      };
      return session;
    },
  };
});

const models = standIns();
afterAll(() => models.remove());
const { catalogue } = models;

const OPTIONS = { threads: 1, warmupRuns: 0, maxPixels: 640 * 480, boost: 1 };
const AT = { side: 230, x: 310, y: 235, angle: 0.2 };
type Painted = EntryOf<'generator' | 'restorer'>;
const painters = catalogue.optional.filter(({ profile }) =>
  ['generator', 'restorer'].includes(profile.role),
) as Painted[];
const generators = painters.filter(({ profile }) => profile.role === 'generator') as EntryOf<'generator'>[];
const named = <T extends OptionalEntry>(list: readonly T[]): [string, T][] => list.map((entry) => [entry.name, entry]);

/** The runner of the tests that run now: those of one model share it. */
let opened: { name: string; boost: number; painter: GeneratorRunner } | null = null;
async function runnerOf(entry: Painted, boost: number): Promise<GeneratorRunner> {
  if (opened?.name === entry.name && opened.boost === boost) return opened.painter;
  await opened?.painter.close();
  const painter = await GeneratorRunner.open(catalogue, entry, { ...OPTIONS, boost });
  opened = { name: entry.name, boost, painter };
  return painter;
}
afterEach(() => given.clear());
afterAll(() => opened?.painter.close());
async function paint(entry: Painted, frame: Frame, strokes: object = {}, boost = 1): Promise<GeneratorRunner> {
  const painter = await runnerOf(entry, boost);
  const { points } = placed(entry.profile.template, AT);
  await painter.paint(frame, points, {
    source: new Float32Array(sourceSize(entry)),
    strength: 1,
    colour: 0,
    ...strokes,
  });
  return painter;
}

function sourceSize({ profile }: Painted): number {
  if (profile.role === 'restorer' || profile.source.kind === 'none') return 0;
  return profile.source.kind === 'embedding' ? 512 : 3 * profile.source.size! ** 2;
}

/** Colour 0..1 of a channel (0 red) of the picture a model was given. */
function colourAt({ profile }: Painted, tensor: Float32Array, n: number, c: number, x: number, y: number): number {
  const channel = profile.order === 'bgr' ? 2 - c : c;
  const at = profile.layout === 'nchw' ? (channel * n + y) * n + x : (y * n + x) * 3 + channel;
  return tensor[at]! * profile.std[c]! + profile.mean[c]!;
}

describe.each(named(painters))('%s', (_name, entry) => {
  const five = placed(entry.profile.template, AT).five;
  const frame = softFrame(640, 480, five);

  test('gets the face at its template, in its own range and channel order', async () => {
    const painter = await paint(entry, copyFrame(frame));
    const n = painter.side;
    const tensor = Object.values(given.get(entry.name)!).find(({ length }) => length === 3 * n * n)!;
    const template = TEMPLATES[entry.profile.template];
    for (let k = 0; k < 5; k++) {
      const [x, y] = [template[2 * k]! * n, template[2 * k + 1]! * n];
      const [cx, cy] = brightest(entry, tensor, n, x, y);
      expect(Math.hypot(cx - x, cy - y), `point ${k}`).toBeLessThan(0.015 * n);
    }
    // What a colour is in the middle of the crop, computed from the frame's own bytes.
    const [x, y] = [Math.floor(AT.x), Math.floor(AT.y)];
    const rgb = rgbOf(frame, x, y);
    for (let c = 0; c < 3; c++) expect(colourAt(entry, tensor, n, c, n >> 1, n >> 1)).toBeCloseTo(rgb[c]!, 1);
    const [least, most] = [Math.min(...sampled(tensor)), Math.max(...sampled(tensor))];
    for (let c = 0; c < 3; c++) {
      expect(least).toBeGreaterThanOrEqual(
        Math.min(...entry.profile.mean.map((m, i) => -m / entry.profile.std[i]!)) - 1e-5,
      );
      expect(most).toBeLessThanOrEqual(
        Math.max(...entry.profile.mean.map((m, i) => (1 - m) / entry.profile.std[i]!)) + 1e-5,
      );
    }
  });

  test("returns an identity model's picture and leaves the outside unchanged", async () => {
    const after = copyFrame(frame);
    await paint(entry, after);
    const { inside, outside } = differencesInside(frame, after, entry.profile.template, AT);
    expect(outside).toBe(0);
    expect(inside.mean).toBeLessThan(0.8);
    expect(inside.most).toBeLessThan(10);
    expect(inside.changed).toBeGreaterThan(0);
  });

  test('changes nothing at strength zero', async () => {
    const after = copyFrame(frame);
    await paint(entry, after, { strength: 0 });
    expect(after.data).toEqual(frame.data);
  });

  test('leaves matching colours unchanged', async () => {
    const [plain, matched] = [copyFrame(frame), copyFrame(frame)];
    await paint(entry, plain);
    await paint(entry, matched, { colour: 1 });
    expect(plain.data.every((value, i) => Math.abs(value - matched.data[i]!) <= 1)).toBe(true);
  });
});

test.each(named(generators.filter(({ profile }) => profile.size !== null && profile.size <= 256)))(
  '%s paints four tiles in one run with a boost of 2, sharper than with one',
  async (_name, entry) => {
    const { five } = placed(entry.profile.template, AT);
    const frame = softFrame(640, 480, five);
    const [once, boosted] = [copyFrame(frame), copyFrame(frame)];
    await paint(entry, once);
    const painter = await paint(entry, boosted, {}, 2);
    expect(painter.side).toBe(2 * entry.profile.size!);
    const pictures = Object.values(given.get(entry.name)!).map(({ length }) => length);
    expect(pictures).toContain(4 * 3 * entry.profile.size! ** 2);
    const off = (after: Frame): number => differencesInside(frame, after, entry.profile.template, AT).inside.mean;
    expect(off(boosted)).toBeLessThanOrEqual(off(once) + 0.05);
  },
);

describe('engine', () => {
  let lane: Lane;
  let camera: Frame;
  beforeAll(async () => {
    lane = await startLane();
    const picture = await readFrame(astronaut);
    const [face] = await lane.analyse(copyFrame(picture));
    await lane.take('source', await lane.enrol([{ picture, points: face!.points }]));
    camera = await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 640, 480);
  });
  afterAll(() => lane.end());
  const swapped = async (engine: string, strength: number): Promise<SwappedFrame> => {
    await lane.open('stream', swapSettings({ engine, strength, shape: strength }));
    const done = await lane.swap('stream', { ...copyFrame(camera), receivedAtMs: performance.now() });
    await lane.close('stream');
    return done;
  };

  test('mesh changes the face and leaves the outside unchanged', async () => {
    const { frame, result } = await swapped(MESH, 1);
    expect(result).toBe('swapped');
    const differs = (x: number, y: number): boolean => frame.data[y * 640 + x] !== camera.data[y * 640 + x];
    expect(differs(310, 250)).toBe(true);
    for (let x = 0; x < 640; x++) expect(differs(x, 0) || differs(x, 479)).toBe(false);
  });

  const isCamera = ({ frame }: SwappedFrame): boolean => Buffer.compare(frame.data, camera.data) === 0;

  test('mesh changes nothing at strength and shape zero', async () => {
    expect(isCamera(await swapped(MESH, 0))).toBe(true);
  });

  test('none changes nothing', async () => {
    const done = await swapped(NONE, 1);
    expect(done.result).toBe('passed');
    expect(isCamera(done)).toBe(true);
  });
});

describe('the source', () => {
  const face = placed('arcface_112_v2', { side: 200, x: 300, y: 240, angle: -0.1 });
  const portraits = [0, 1].map((k) => ({
    picture: softFrame(640, 480, face.five.slice(k)),
    points: face.points,
  }));
  const maker = new SourceMaker(catalogue, { threads: 1, warmupRuns: 0 });
  afterAll(() => maker.close());

  test.each(named(generators))('of %s has its shape and length', async (_name, entry) => {
    const source = await maker.make(entry, portraits.slice(0, 1));
    expect(source).toHaveLength(sourceSize(entry));
    const { profile } = entry;
    if (profile.source.kind === 'embedding') {
      const length = Math.hypot(...source);
      if (profile.source.unit) expect(length).toBeCloseTo(1, 4);
      else expect(length).toBeGreaterThan(1.5);
    }
    if (profile.source.kind === 'picture') {
      expect(source.every((value) => value >= 0 && value <= 1)).toBe(true);
    }
  });

  test('of an inswapper goes through the matrix at the end of its file', async () => {
    const [plain, moved] = await Promise.all([
      maker.make(catalogue.named('hyperswap_1a_256', 'generator'), portraits.slice(0, 1)),
      maker.make(catalogue.named('inswapper_128', 'generator'), portraits.slice(0, 1)),
    ]);
    // The stand-in's matrix moves each number on by one place.
    for (let i = 0; i < 512; i++) expect(moved[(i + 1) % 512]).toBeCloseTo(plain[i]!, 5);
  });

  test('of several photos lies between those of each', async () => {
    const entry = catalogue.named('hyperswap_1a_256', 'generator');
    const [p, q] = [await maker.make(entry, [portraits[0]!]), await maker.make(entry, [portraits[1]!])];
    const both = await maker.make(entry, portraits);
    const middle = unit(p.map((x, i) => x + q[i]!));
    for (let i = 0; i < 512; i++) expect(both[i]).toBeCloseTo(middle[i]!, 4);
  });
});

/** Where the green is highest near a place, to a fraction of a pixel. */
function brightest(entry: Painted, tensor: Float32Array, n: number, x: number, y: number): [number, number] {
  const reach = Math.ceil(0.05 * n);
  const values: [number, number, number][] = [];
  for (let j = Math.round(y) - reach; j <= y + reach; j++)
    for (let i = Math.round(x) - reach; i <= x + reach; i++) values.push([colourAt(entry, tensor, n, 1, i, j), i, j]);
  const floor = Math.min(...values.map(([v]) => v));
  const top = Math.max(...values.map(([v]) => v));
  let [sum, sx, sy] = [0, 0, 0];
  for (const [v, i, j] of values) {
    const w = Math.max(0, v - floor - 0.4 * (top - floor));
    sum += w;
    sx += w * (i + 0.5);
    sy += w * (j + 0.5);
  }
  return [sx / sum, sy / sum];
}

const sampled = (tensor: Float32Array): number[] =>
  Array.from({ length: 5000 }, (_, i) => tensor[Math.floor((i * tensor.length) / 5000)]!);

function rgbOf({ width, height, data }: Frame, x: number, y: number): [number, number, number] {
  const cw = (width + 1) >> 1;
  const cell = width * height + (y >> 1) * cw + (x >> 1);
  const luma = 1.164384 * (data[y * width + x]! - 16);
  const [u, v] = [data[cell]! - 128, data[cell + cw * ((height + 1) >> 1)]! - 128];
  return [luma + 1.596 * v, luma - 0.392 * u - 0.813 * v, luma + 2.017 * u].map((c) => c / 255) as [
    number,
    number,
    number,
  ];
}
