/**
 * What a frame costs: the whole swap over the bare inference of the landmark model. Both are measured alternately, so
 * that other load on the machine falls on both. The face moves a few pixels from frame to frame, as a person's does.
 */

import path from 'node:path';
import sharp from 'sharp';
import { defaultConfig } from '../../src/config.ts';
import { decodePicture, rgbToFrame } from '../../src/faces/portrait.ts';
import { root } from '../../src/lib/package-root.ts';
import { ContentCheck } from '../../src/pipeline/content/content-check.ts';
import { ContentGuard } from '../../src/pipeline/content/content-guard.ts';
import { openSession } from '../../src/pipeline/inference/model-session.ts';
import { Lane } from '../../src/pipeline/lane/lane.ts';
import { readCatalogue } from '../../src/pipeline/models/catalogue.ts';
import { laneOptions } from '../../src/pipeline/pool/lane-options.ts';
import { Badge } from '../../src/server/disclosure/badge.ts';
import { DEFAULT_SETTINGS, type SwapSettings } from '../../src/shared/settings.ts';
import type { Frame } from '../../src/shared/types.ts';
import { layoutWords } from '../../src/watermark/mark-key.ts';
import { ratio, type Spread, spread } from './bench-machine.ts';

const ROUNDS = 200;
const WARM_UP = 20;
/** Width of the face on the picture, in pixels. */
const FACE = 300;
const SIZES = [
  [640, 360],
  [640, 480],
  [1280, 720],
  [1920, 1080],
] as const;
const SETTINGS: SwapSettings = { ...DEFAULT_SETTINGS, face: 'source' };

const modelsDir = path.join(root, 'models');
const portrait = path.join(modelsDir, 'portraits/astronaut.webp');

/** One size of picture with so many faces. Times in milliseconds. */
export interface FrameFigures {
  size: string;
  faces: number;
  frameMs: Spread;
  landmarkMs: Spread;
  /** Whole frame over bare landmark inference. */
  p50Ratio: number;
  p99Ratio: number;
  /** p50 of each stage. */
  stagesMs: Record<string, number>;
}

/** How many times the portrait is enlarged, and its point that lies in the middle of a cut-out. */
export interface Scale {
  by: number;
  about: readonly [number, number];
}

/**
 * Takes about a minute. `largeOverSmall` is the p50 of the same face in 1920x1080 over 640x480.
 * @throws Error where a frame was not swapped.
 */
export async function benchFrames(): Promise<{ rows: FrameFigures[]; largeOverSmall: number }> {
  // The mark is on by default, so that it belongs to what a frame costs.
  const { lane, scale } = await wearing(layoutWords('bench'));
  const rows: FrameFigures[] = [];
  for (const [width, height] of SIZES) rows.push(await measure(lane, { width, height, faces: 1 }, scale));
  for (const [width, height] of SIZES.slice(2))
    rows.push(await measure(lane, { width, height, faces: 3 }, { ...scale, by: 0.8 * scale.by }));
  const largeOverSmall = await compare(lane, [1920, 1080], [640, 480], scale);
  await lane.end();
  return { rows, largeOverSmall };
}

/** A lane that has the portrait's face, and the portrait's scale. @param markWords key of the invisible mark, or null. */
async function wearing(markWords: Uint32Array | null): Promise<{ lane: Lane; scale: Scale }> {
  const config = defaultConfig();
  const options = laneOptions({ ...config, models: { ...config.models, dir: modelsDir } });
  const lane = await Lane.start({ ...options, markWords, budgetMs: Number.POSITIVE_INFINITY }, (error) => {
    throw error;
  });
  const picture = await decodePicture(await sharp(portrait).toBuffer(), { bytes: 1e8, pixels: 1e8 });
  const [face] = await lane.analyse({ ...picture, data: picture.data.slice() });
  if (face === undefined) throw new Error('the shipped portrait shows no face');
  await lane.take('source', await lane.enrol([{ picture, points: face.points }]));
  const { x, y, width: faceWidth, height: faceHeight } = face.box;
  return { lane, scale: { by: FACE / faceWidth, about: [x + faceWidth / 2, y + faceHeight / 2] } };
}

/** Frames of 1280x720 at 30 a second with visible mark, invisible mark and content check, and without. Milliseconds. */
export interface MarkFigures {
  onMs: Spread & { mean: number };
  offMs: Spread & { mean: number };
  /** What all three add: to the p50, and to the mean, which has the frames that are checked. */
  addedP50Ms: number;
  addedMeanMs: number;
  /** What they add to the p50 of the processor time that a frame takes, which other programs disturb less. */
  addedCpuMs: number;
  cpuMs: { on: Spread; off: Spread };
  /** Mean of what each adds on the main thread. */
  badgeMs: number;
  checkMs: number;
}

const MARK_ROUNDS = 300;
const FRAME_MS = 1000 / 30;

/** The same frames with everything on and off, in turns; the content check runs in its process beside them. */
export async function benchMarks(): Promise<MarkFigures> {
  const { lane: on, scale } = await wearing(layoutWords('bench'));
  const { lane: off } = await wearing(null);
  const check = new ContentCheck(modelsDir);
  await check.start();
  const guard = new ContentGuard(check, defaultConfig().safety.contentThreshold, {
    onBlocked: () => undefined,
    onFailure: (error) => {
      throw error;
    },
  });
  const badge = await Badge.render('top-right');
  const frames: Frame[] = [];
  for (let i = 0; i < 6; i++) frames.push(await scene({ width: 1280, height: 720, faces: 1 }, scale, i));
  for (const lane of [on, off]) await lane.open('marks', SETTINGS);
  const times = { on: [] as number[], off: [] as number[], badge: [] as number[], check: [] as number[] };
  const cpu = { on: [] as number[], off: [] as number[] };
  for (let round = -WARM_UP; round < MARK_ROUNDS; round++) {
    const turns = round % 2 === 0 ? (['on', 'off'] as const) : (['off', 'on'] as const);
    for (const turn of turns) {
      const frame = frames[Math.abs(round) % frames.length]!;
      const copy = { ...frame, data: frame.data.slice(), receivedAtMs: performance.now() };
      const before = process.cpuUsage();
      const beganMs = performance.now();
      const done = await (turn === 'on' ? on : off).swap('marks', copy);
      const swappedMs = performance.now();
      if (turn === 'on') guard.pass(done, true, false);
      const checkedMs = performance.now();
      if (turn === 'on') badge.draw(done.frame);
      const endedMs = performance.now();
      const { user, system } = process.cpuUsage(before);
      if (round >= 0) {
        times[turn].push(endedMs - beganMs);
        cpu[turn].push((user + system) / 1000);
        if (turn === 'on') {
          times.check.push(checkedMs - swappedMs);
          times.badge.push(endedMs - checkedMs);
        }
      }
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, beganMs + FRAME_MS / 2 - performance.now())));
    }
  }
  for (const lane of [on, off]) await lane.close('marks');
  await Promise.all([check.close(), on.end(), off.end()]);
  const mean = (all: readonly number[]): number => rounded(all.reduce((sum, ms) => sum + ms, 0) / all.length);
  const rounded = (ms: number): number => Math.round(1000 * ms) / 1000;
  const [onMs, offMs] = [times.on, times.off].map((all) => ({ ...spread(all), mean: mean(all) })) as [
    MarkFigures['onMs'],
    MarkFigures['offMs'],
  ];
  return {
    onMs,
    offMs,
    addedP50Ms: rounded(onMs.p50 - offMs.p50),
    addedMeanMs: rounded(onMs.mean - offMs.mean),
    addedCpuMs: rounded(spread(cpu.on).p50 - spread(cpu.off).p50),
    cpuMs: { on: spread(cpu.on), off: spread(cpu.off) },
    badgeMs: mean(times.badge),
    checkMs: mean(times.check),
  };
}

/** The same face in two sizes of picture, measured alternately; the ratio of the p50s. */
async function compare(lane: Lane, a: readonly [number, number], b: readonly [number, number], scale: Scale) {
  const sides = [];
  for (const [width, height] of [a, b]) {
    const id = `alternate ${width}`;
    await lane.open(id, SETTINGS);
    sides.push({ id, frame: await scene({ width, height, faces: 1 }, scale, 0), times: [] as number[] });
  }
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    for (const { id, frame, times } of sides) {
      const copy = { ...frame, data: frame.data.slice(), receivedAtMs: performance.now() };
      const beganMs = performance.now();
      await lane.swap(id, copy);
      if (round >= 0) times.push(performance.now() - beganMs);
    }
  }
  for (const { id } of sides) await lane.close(id);
  return ratio(spread(sides[0]!.times).p50, spread(sides[1]!.times).p50);
}

/** A picture's size, and how many faces are in it. */
export interface SceneSpec {
  width: number;
  height: number;
  faces: number;
}

async function measure(lane: Lane, spec: SceneSpec, scale: Scale): Promise<FrameFigures> {
  const { width, height, faces } = spec;
  const catalogue = readCatalogue(modelsDir);
  const entry = catalogue.forRole('face-mesh');
  const landmark = await openSession(entry, catalogue.read(entry), { threads: 1 });
  const frames: Frame[] = [];
  for (let i = 0; i < 6; i++) frames.push(await scene(spec, scale, i));
  const id = `${width}x${height}x${faces}`;
  await lane.open(id, SETTINGS);
  const [frameMs, landmarkMs]: [number[], number[]] = [[], []];
  const stages: Record<string, number[]> = {};
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    const frame = frames[Math.abs(round) % frames.length]!;
    const copy = { ...frame, data: frame.data.slice(), receivedAtMs: performance.now() };
    const beganMs = performance.now();
    const { result, stagesMs, faces: found } = await lane.swap(id, copy);
    const betweenMs = performance.now();
    await landmark.run();
    const endedMs = performance.now();
    if (round < 0) continue;
    if (result !== 'swapped' || found.length !== faces)
      throw new Error(`frame ${round} at ${id}: ${result}, ${found.length} faces`);
    frameMs.push(betweenMs - beganMs);
    landmarkMs.push(endedMs - betweenMs);
    for (const [stage, ms] of Object.entries(stagesMs)) stages[stage] = [...(stages[stage] ?? []), ms];
  }
  await lane.close(id);
  await landmark.close();
  const [whole, bare] = [spread(frameMs), spread(landmarkMs)];
  return {
    size: `${width}x${height}`,
    faces,
    frameMs: whole,
    landmarkMs: bare,
    p50Ratio: ratio(whole.p50, bare.p50),
    p99Ratio: ratio(whole.p99, bare.p99),
    stagesMs: Object.fromEntries(Object.entries(stages).map(([stage, ms]) => [stage, spread(ms).p50])),
  };
}

/** A frame with the portrait on grey, once or several times side by side. @param step moves it by a few pixels. */
export async function scene({ width, height, faces }: SceneSpec, { by, about }: Scale, step: number): Promise<Frame> {
  const { width: w = 0, height: h = 0 } = await sharp(portrait).metadata();
  const size = { width: Math.round(w * by), height: Math.round(h * by) };
  const side = Math.min(height, Math.floor(width / faces), size.width, size.height);
  // The portrait is cropped rather than shrunk, so that the face keeps its size in a small picture, and the crop is
  // centred on the face, so that the whole face is in it.
  const cut = (middle: number, most: number): number =>
    Math.max(0, Math.min(most - side, Math.round(middle * by - side / 2)));
  const large = await sharp(portrait).resize(size).toBuffer();
  const input = await sharp(large)
    .extract({ left: cut(about[0], size.width), top: cut(about[1], size.height), width: side, height: side })
    .toBuffer();
  const left = (i: number): number =>
    Math.min(width - side, Math.round((width * (i + 0.5)) / faces - side / 2 + 2 * (step % 3)));
  const composite = Array.from({ length: faces }, (_, i) => ({
    input,
    left: Math.max(0, left(i)),
    top: Math.max(0, Math.min(height - side, 2 * step)),
  }));
  const { data, info } = await sharp({ create: { width, height, channels: 3, background: '#777' } })
    .composite(composite)
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return rgbToFrame(data, info.width, info.height, info.channels);
}
