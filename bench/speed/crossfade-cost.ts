/**
 * What a change of the source face costs while it is mixed: a stream whose face changes every ten frames beside one that
 * keeps its face, frame by frame in turn, at a camera's rate of 30 a second.
 */

import path from 'node:path';
import { defaultConfig } from '../../src/config.ts';
import { decodePicture } from '../../src/faces/portrait.ts';
import { root } from '../../src/lib/package-root.ts';
import { sharp } from '../../src/lib/sharp.ts';
import { Lane } from '../../src/pipeline/lane/lane.ts';
import { laneOptions } from '../../src/pipeline/pool/lane-options.ts';
import { DEFAULT_SETTINGS } from '../../src/shared/settings.ts';
import type { Frame } from '../../src/shared/types.ts';
import { ratio, type Spread, spread } from './bench-machine.ts';

const ROUNDS = 300;
const WARM_UP = 20;
const FRAME_MS = 33;
/** Frames from one change of the face to the next: a crossfade of 300 ms is over by then. */
const CHANGE_EVERY = 10;
const FACES = ['astronaut', 'mona-lisa'] as const;
const modelsDir = path.join(root, 'models');

/** Times in milliseconds. */
export interface CrossfadeFigures {
  plainMs: Spread;
  mixedMs: Spread;
  p50Ratio: number;
  p99Ratio: number;
}

/** Takes some ten seconds. @throws Error where a frame was not swapped. */
export async function benchCrossfade(): Promise<CrossfadeFigures> {
  const config = defaultConfig();
  const options = laneOptions({ ...config, models: { ...config.models, dir: modelsDir } });
  const lane = await Lane.start({ ...options, budgetMs: Number.POSITIVE_INFINITY }, (error) => {
    throw error;
  });
  for (const id of FACES) {
    const picture = await portraitOf(id);
    const [face] = await lane.analyse({ ...picture, data: picture.data.slice() });
    if (face === undefined) throw new Error(`the portrait ${id} shows no face`);
    await lane.take(id, await lane.enrol([{ picture, points: face.points }]));
  }
  const frame = await portraitOf('straw-hat', [640, 480]);
  const [plain, mixed]: [number[], number[]] = [[], []];
  for (const id of ['plain', 'mixed']) await lane.open(id, { ...DEFAULT_SETTINGS, face: FACES[0] });
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    if (round % CHANGE_EVERY === 0) {
      const face = FACES[Math.abs(round / CHANGE_EVERY) % FACES.length]!;
      await lane.set('mixed', { ...DEFAULT_SETTINGS, face });
    }
    for (const [id, times] of [
      ['plain', plain],
      ['mixed', mixed],
    ] as const) {
      // The face moves a little, as a frame that shows the same picture again is not measured anew.
      const copy = { ...frame, data: moved(frame, round), receivedAtMs: (round + WARM_UP) * FRAME_MS };
      const beganMs = performance.now();
      const { result } = await lane.swap(id, copy);
      if (round < 0) continue;
      if (result !== 'swapped') throw new Error(`frame ${round} of ${id}: ${result}`);
      times.push(performance.now() - beganMs);
    }
  }
  await lane.end();
  const [plainMs, mixedMs] = [spread(plain), spread(mixed)];
  return { plainMs, mixedMs, p50Ratio: ratio(mixedMs.p50, plainMs.p50), p99Ratio: ratio(mixedMs.p99, plainMs.p99) };
}

async function portraitOf(id: string, size?: [number, number]): Promise<Frame> {
  const image = sharp(path.join(modelsDir, `portraits/${id}.webp`));
  const sized = size === undefined ? image : image.resize(...size, { fit: 'contain', background: '#777' });
  return decodePicture(await sized.png().toBuffer(), { bytes: 1e8, pixels: 1e8 });
}

/** The luma of a frame moved to the right by 0 to 2 pixels. */
function moved({ data, width, height }: Frame, round: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(data);
  out.copyWithin(Math.abs(round) % 3, 0, width * height - 3);
  return out;
}
