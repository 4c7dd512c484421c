/** A smile in the photo does not show on a live face that does not smile. */

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { LiveFace, Looks } from '../../../../../src/pipeline/engines/engine.ts';
import { MeshEngine } from '../../../../../src/pipeline/engines/mesh/mesh-engine.ts';
import { ATLAS, atlasPoints } from '../../../../../src/pipeline/engines/mesh/source/atlas-layout.ts';
import {
  foldShares,
  neutraliseExpression,
  smileOf,
} from '../../../../../src/pipeline/engines/mesh/source/neutralise-expression.ts';
import { areasOf } from '../../../../../src/pipeline/engines/mesh/source/skin-segmentation.ts';
import { CROP } from '../../../../../src/pipeline/face/landmarks.ts';
import { ALL_POINTS, POINTS, readTopology } from '../../../../../src/pipeline/face/topology.ts';
import { Kernels } from '../../../../../src/pipeline/kernels/kernels.ts';
import type { Frame } from '../../../../../src/shared/types.ts';
import { modelsDir } from '../../../../support/lane.ts';

const topology = readTopology(await readFile(path.join(modelsDir, 'face-geometry.json')));
const at = atlasPoints(topology);
const [MOUTH_RIGHT, MOUTH_LEFT] = [61, 291];
/** Where the fold of a smile runs, beside the right corner of the mouth, and a place on the forehead. */
const [FOLD, FOREHEAD] = [216, 151];
const SIDE = 400;
const [SKIN, LINE] = [150, 90];

/** A face of the canonical shape in the middle of a picture, with a mouth so many times as wide. */
function pointsOf(mouth: number, angle = 0): Float32Array {
  const points = new Float32Array(ALL_POINTS * 3);
  const scale = 18;
  for (let i = 0; i < POINTS; i++) {
    const wide = i === MOUTH_RIGHT || i === MOUTH_LEFT ? mouth : 1;
    const [x, y, z] = [wide * topology.vertices[3 * i]!, topology.vertices[3 * i + 1]!, topology.vertices[3 * i + 2]!];
    const turned = [x * Math.cos(angle) + z * Math.sin(angle), z * Math.cos(angle) - x * Math.sin(angle)] as const;
    points.set([SIDE / 2 + scale * turned[0], SIDE / 2 - scale * y, -scale * turned[1]], 3 * i);
  }
  return points;
}
const [REST, SMILE] = [pointsOf(1), pointsOf(1.4)];

/** Skin, with a dark upright line, `half` its width, through each of some places. */
function painted(size: number, half: number, lines: readonly (readonly [number, number])[]): Uint8Array {
  return Uint8Array.from({ length: size * size }, (_, p) => {
    const [x, y] = [p % size, Math.floor(p / size)];
    return lines.some(([lx, ly]) => Math.abs(x - lx) < half && Math.abs(y - ly) < 6 * half) ? LINE : SKIN;
  });
}

function framed(luma: Uint8Array): Frame {
  const data = new Uint8Array((SIDE * SIDE * 3) / 2).fill(128);
  data.set(luma);
  data.fill(112, SIDE * SIDE, (SIDE * SIDE * 5) / 4);
  data.fill(146, (SIDE * SIDE * 5) / 4);
  return { width: SIDE, height: SIDE, data, receivedAtMs: 0 };
}

test("the smile measure follows the mouth's width, whichever way the face looks", () => {
  expect(smileOf(REST)).toBe(0);
  expect(smileOf(SMILE)).toBe(1);
  const half = pointsOf(1.2);
  expect(smileOf(half)).toBeGreaterThan(0.2);
  expect(smileOf(half)).toBeLessThan(0.8);
  expect(smileOf(pointsOf(1.2, 0.6))).toBeCloseTo(smileOf(half), 3);
});

test("the folds of a smile are removed; a cheek's shade and lines elsewhere stay", () => {
  const place = (point: number) => [at[2 * point]!, at[2 * point + 1]!] as const;
  const y = painted(ATLAS, 4, [place(FOLD), place(FOREHEAD)]);
  const [areas, folds] = [areasOf(topology, at), foldShares(topology, at)];
  const neutral = neutraliseExpression(y, areas, folds);
  const around = (plane: Uint8Array, point: number): number => {
    const [x, row] = place(point).map(Math.round) as [number, number];
    return plane[row * ATLAS + x]!;
  };
  expect(around(neutral, FOLD)).toBeGreaterThan(LINE + 0.6 * (SKIN - LINE));
  expect(around(neutral, FOREHEAD)).toBe(LINE);
  const shade = Uint8Array.from({ length: ATLAS * ATLAS }, (_, p) => 120 + (p % ATLAS) / 10);
  const kept = neutraliseExpression(shade, areas, folds);
  expect(kept.findIndex((value, p) => Math.abs(value - shade[p]!) >= 4)).toBe(-1);
});

test('the folds of a smiling photo show on a live face as it smiles', async () => {
  const kernels = await Kernels.load(SIDE * SIDE);
  const engine = new MeshEngine(kernels, topology);
  const fold = [SMILE[3 * FOLD]!, SMILE[3 * FOLD + 1]!] as const;
  const face = await engine.enrol([{ picture: framed(painted(SIDE, 3, [fold])), points: SMILE }]);
  expect(face.smile?.breadth).toBe(1);
  const swapper = engine.swapper(face);
  const looks: Looks = { strength: 1, shape: 0, colour: 1, sharpness: 1, keepEyes: false, keepMouth: false };
  const square = { x: SIDE / 2, y: SIDE / 2, side: 380, angle: 0 };
  const crop = kernels.floats(CROP * CROP * 3);
  /** Luma where the fold is, after some frames of a face like this one. */
  const shown = async (points: Float32Array): Promise<number> => {
    let frame = framed(new Uint8Array(SIDE * SIDE).fill(SKIN));
    for (let i = 0; i < 20; i++) {
      frame = framed(new Uint8Array(SIDE * SIDE).fill(SKIN));
      const region = kernels.load(frame, { x: 0, y: 0, width: SIDE, height: SIDE });
      region.crop(square, { values: crop, n: CROP });
      const live: LiveFace = { points, square, crop, region, isRepeat: false };
      await swapper.swap(frame, live, looks);
    }
    return frame.data[Math.round(points[3 * FOLD + 1]!) * SIDE + Math.round(points[3 * FOLD]!)]!;
  };
  const [atRest, smiling, again] = [await shown(REST), await shown(SMILE), await shown(REST)];
  expect(SKIN - smiling).toBeGreaterThan(10);
  expect(SKIN - atRest).toBeLessThan(0.5 * (SKIN - smiling));
  expect(Math.abs(again - atRest)).toBeLessThan(3);
  swapper.close();
});

test('a photo that does not smile stays as it is', async () => {
  const engine = new MeshEngine(await Kernels.load(SIDE * SIDE), topology);
  const picture = framed(new Uint8Array(SIDE * SIDE).fill(SKIN));
  expect((await engine.enrol([{ picture, points: REST }])).smile).toBeNull();
});
