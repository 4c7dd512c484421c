/**
 * What replacing the background costs a frame, beside the bare inference of the landmark model; both are measured
 * alternately, so that other load on the machine falls on both. A person sways by a few pixels a frame, rests, and sways again.
 */

import path from 'node:path';
import sharp from 'sharp';
import { rgbToFrame } from '../../src/faces/portrait.ts';
import { root } from '../../src/lib/package-root.ts';
import { PersonSegmenter } from '../../src/pipeline/background/person-segmenter.ts';
import { type Backdrop, StreamBackground } from '../../src/pipeline/background/stream-background.ts';
import { openSession } from '../../src/pipeline/inference/model-session.ts';
import { compiledKernels } from '../../src/pipeline/kernels/compiled-kernels.ts';
import { readCatalogue } from '../../src/pipeline/models/catalogue.ts';
import { ratio, spread } from './bench-machine.ts';

const ROUNDS = 240;
const WARM_UP = 40;
const FRAME_MS = 1000 / 30;
const PACE = { intervalMs: 90, followMs: 50 };
const SIZES = [
  [640, 480],
  [1280, 720],
] as const;
const BACKDROPS: Record<string, Backdrop> = {
  colour: { kind: 'colour', colour: [111, 105, 58] },
  blur: { kind: 'blur', isStrong: false },
  'strong blur': { kind: 'blur', isStrong: true },
};

/** One size of picture with one background. Times in milliseconds. */
export interface BackgroundFigures {
  size: string;
  background: string;
  /** p50 of frames that got a mask, and of the others. */
  maskMs: number;
  otherMs: number;
  /** Share of frames that got a mask, 0..1. */
  masks: number;
  /** A frame in the mean, of the two p50s by that share. */
  frameMs: number;
  landmarkMs: number;
  /** `frameMs` over `landmarkMs`. */
  frameRatio: number;
}

/** Takes about a minute. */
export async function benchBackground(): Promise<BackgroundFigures[]> {
  const catalogue = readCatalogue(path.join(root, 'models'));
  const open = (role: string) => {
    const entry = catalogue.forRole(role);
    return openSession(entry, catalogue.read(entry), { threads: 1 });
  };
  const [segmentation, landmark, module] = [
    await open('person-segmenter'),
    await open('face-mesh'),
    await compiledKernels(),
  ];
  const rows: BackgroundFigures[] = [];
  for (const [width, height] of SIZES) {
    const frames = await Promise.all(Array.from({ length: 7 }, (_, step) => scene(width, height, 3 * step)));
    for (const [background, backdrop] of Object.entries(BACKDROPS)) {
      const stream = new StreamBackground(module, new CountingSegmenter(segmentation));
      const [withMask, others, landmarkMs]: [number[], number[], number[]] = [[], [], []];
      for (let round = -WARM_UP; round < ROUNDS; round++) {
        const frame = frames[Math.max(0, Math.abs((Math.abs(round) % 24) - 12) - 6)]!;
        const copy = { ...frame, data: frame.data.slice(), receivedAtMs: round * FRAME_MS };
        const masksBefore = CountingSegmenter.count;
        const beganMs = performance.now();
        await stream.replace(copy, backdrop, PACE);
        const betweenMs = performance.now();
        await landmark.run();
        const endedMs = performance.now();
        if (round < 0) continue;
        (CountingSegmenter.count > masksBefore ? withMask : others).push(betweenMs - beganMs);
        landmarkMs.push(endedMs - betweenMs);
      }
      const [maskMs, otherMs, bareMs] = [spread(withMask).p50, spread(others).p50, spread(landmarkMs).p50];
      const masks = withMask.length / ROUNDS;
      const frameMs = masks * maskMs + (1 - masks) * otherMs;
      const figures = { maskMs, otherMs, masks: ratio(withMask.length, ROUNDS), frameMs: ratio(frameMs, 1) };
      rows.push({
        size: `${width}x${height}`,
        background,
        ...figures,
        landmarkMs: bareMs,
        frameRatio: ratio(frameMs, bareMs),
      });
    }
  }
  await Promise.all([segmentation.close(), landmark.close()]);
  return rows;
}

/** Counts the masks that are made. */
class CountingSegmenter extends PersonSegmenter {
  static count = 0;
  override segment(canvas: Parameters<PersonSegmenter['segment']>[0]): ReturnType<PersonSegmenter['segment']> {
    CountingSegmenter.count++;
    return super.segment(canvas);
  }
}

/** The shipped portrait before a wall. @param left moves the person, in pixels. */
async function scene(width: number, height: number, left: number) {
  const side = Math.round(height * 0.85);
  const person = await sharp(path.join(root, 'models/portraits/astronaut.webp')).resize(side, side).toBuffer();
  const { data } = await sharp({ create: { width, height, channels: 3, background: '#7a8894' } })
    .composite([{ input: person, left: Math.round((width - side) / 2) + left, top: height - side }])
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return rgbToFrame(data, width, height, 3);
}
