/**
 * How the swap looks: composed clips are swapped as live ones are, measured and drawn on sheets to be viewed. A constant
 * of `MESH_TUNING` is set anew by what this says before and after.
 */

import { mkdirSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { defaultConfig } from '../../src/config.ts';
import { decodePicture, frameToRgb } from '../../src/faces/portrait.ts';
import { root } from '../../src/lib/package-root.ts';
import { distance } from '../../src/pipeline/face/embed.ts';
import { Lane } from '../../src/pipeline/lane/lane.ts';
import { loadLaneModels } from '../../src/pipeline/lane/lane-models.ts';
import { LaneMutex } from '../../src/pipeline/lane/lane-mutex.ts';
import { laneOptions } from '../../src/pipeline/pool/lane-options.ts';
import { boundsOf } from '../../src/shared/geometry.ts';
import { DEFAULT_SETTINGS } from '../../src/shared/settings.ts';
import type { Frame } from '../../src/shared/types.ts';
import { CLIPS, type ClipRecipe, compose, HEIGHT, WIDTH } from './compose.ts';
import { type LookFigures, measureLooks, type Pair } from './measures.ts';
import { drawProp, glasses, strand } from './props.ts';

const modelsDir = path.join(root, 'models');
/** The source face of every clip. */
const SOURCE = path.join(modelsDir, 'portraits/astronaut.webp');
/** Every so many frames are measured: landmarks and embeddings are dear. */
const EVERY = 3;
/** Frames before the first that is measured: light and shape are learned over the first ones. */
const SETTLE = 9;

/** What one clip is measured by. */
export interface ClipFigures extends LookFigures {
  clip: string;
  /** Distance of the embeddings of the swapped face and of the source; under 0.46 the same person. */
  toSource: number;
  /** The same of the face as it was. */
  toSourceBefore: number;
  /** Peak signal to noise of what is in front of the face, in decibels, in the worst frame; null where nothing is. */
  propDb: number | null;
}

/** Lanes and models that the bench uses; `end` closes them. */
export interface LookBench {
  /** Swaps and measures a clip of so many frames. @param sheet file for a picture of it: before, after, in turn. */
  run(recipe: ClipRecipe, frames: number, sheet?: string): Promise<ClipFigures>;
  end(): Promise<void>;
}

/** @throws FaceOffError when a model is missing. */
export async function openLooks(): Promise<LookBench> {
  const config = defaultConfig();
  const options = {
    ...laneOptions({ ...config, models: { ...config.models, dir: modelsDir } }),
    warmupRuns: 0,
    budgetMs: Number.POSITIVE_INFINITY,
  };
  const onFault = (error: unknown): never => {
    throw error;
  };
  const lane = await Lane.start(options, onFault);
  const { tools, kernels, close } = await loadLaneModels({
    options,
    mutex: new LaneMutex(),
    onFault,
    onModelNews: () => undefined,
  });

  async function embed(frame: Frame, points: Float32Array): Promise<Float32Array> {
    const { width, height } = frame;
    const region = kernels.load(
      frame,
      boundsOf({ x: width / 2, y: height / 2, side: Math.max(width, height), angle: 0 }, 0, width, height)!,
    );
    return tools.embedder.embed(region, points);
  }

  const portrait = await decodePicture(await sharp(SOURCE).toBuffer(), { bytes: 1e8, pixels: 1e8 });
  const [face] = await lane.analyse(copied(portrait));
  await lane.take('source', await lane.enrol([{ picture: portrait, points: face!.points }]));
  const source = await embed(copied(portrait), face!.points);

  async function run(recipe: ClipRecipe, frames: number, sheet?: string): Promise<ClipFigures> {
    const { name, prop } = recipe;
    await lane.open(name, { ...DEFAULT_SETTINGS, face: 'source' });
    const pairs: Pair[] = [];
    const toSource: number[] = [];
    const toSourceBefore: number[] = [];
    let propDb = Number.POSITIVE_INFINITY;
    for (const [n, plain] of (await compose(recipe, frames)).entries()) {
      const [seen] = await lane.analyse(copied(plain));
      if (seen === undefined) throw new Error(`${name} shows no face in frame ${n}`);
      const { points } = seen;
      const before = copied(plain);
      const inFront =
        prop === undefined
          ? []
          : drawProp(before, points, prop === 'glasses' ? glasses() : strand(Math.sin(n / 8)), DARK);
      const { frame: after } = await lane.swap(name, copied(before));
      if (n < SETTLE) continue;
      if (inFront.length > 0) propDb = Math.min(propDb, decibels(before, after, inFront));
      pairs.push({ before, after, points });
      if (n % EVERY !== 0) continue;
      toSource.push(distance(await embed(after, points), source));
      toSourceBefore.push(distance(await embed(before, points), source));
    }
    await lane.close(name);
    if (sheet !== undefined) await drawSheet(pairs, sheet);
    const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
    return {
      clip: name,
      toSource: mean(toSource),
      toSourceBefore: mean(toSourceBefore),
      ...measureLooks(pairs),
      propDb: Number.isFinite(propDb) ? propDb : null,
    };
  }

  return {
    run,
    async end() {
      await lane.end();
      await close();
    },
  };
}

/** All clips; sheets go to bench/results/looks/. */
export async function benchLooks(frames = 60): Promise<ClipFigures[]> {
  const folder = path.join(root, 'bench/results/looks');
  mkdirSync(folder, { recursive: true });
  const bench = await openLooks();
  const rows: ClipFigures[] = [];
  for (const recipe of CLIPS) rows.push(await bench.run(recipe, frames, path.join(folder, `${recipe.name}.png`)));
  await bench.end();
  return rows;
}

/** Y, U, V of glasses and hair. */
const DARK = [40, 126, 131] as const;

const copied = (frame: Frame): Frame => ({ ...frame, data: frame.data.slice() });

/** Peak signal to noise of some pixels' luma. */
function decibels(before: Frame, after: Frame, pixels: readonly number[]): number {
  const error = pixels.reduce((sum, p) => sum + (before.data[p]! - after.data[p]!) ** 2, 0) / pixels.length;
  return 10 * Math.log10(255 ** 2 / Math.max(1e-3, error));
}

/** Three moments beside each other, before above after. */
async function drawSheet(pairs: readonly Pair[], file: string): Promise<void> {
  const moments = [0, 0.5, 1].map((share) => pairs[Math.round(share * (pairs.length - 1))]!);
  const tile = (frame: Frame) =>
    sharp(frameToRgb(frame), { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
      .png()
      .toBuffer();
  const tiles = await Promise.all(
    moments.flatMap(({ before, after }, column) =>
      [before, after].map(async (frame, row) => ({
        input: await tile(frame),
        left: column * WIDTH,
        top: row * HEIGHT,
      })),
    ),
  );
  await sharp({ create: { width: 3 * WIDTH, height: 2 * HEIGHT, channels: 3, background: '#000' } })
    .composite(tiles)
    .png()
    .toFile(file);
}
